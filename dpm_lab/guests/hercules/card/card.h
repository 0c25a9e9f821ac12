/*
 * An OSA-Express card in QDIO mode for Debian's hercules 3.13, as far as Linux' qeth driver needs it to bring its
 * devices online. No packets.
 *
 * Hercules has a stub (qeth.c, device type QETH) that answers nothing. We wrap its handler: each channel command
 * comes to us first.
 */
#ifndef DPM_LAB_CARD_H
#define DPM_LAB_CARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef uint8_t byte;

/*
 * Debian ships hercules without its headers. These are the places in its structures that we touch, in the amd64 build
 * of 3.13 (hstructs.h, esa390.h; compiled with its headers they come out the same). The sizes are checked by
 * hercules when it loads us (hdl.c, hdl_dchk), so another build is refused and not misread.
 */
#define HERCULES_VERSION "3.13"
#define DEVBLK_VERSION "3.08"
#define DEVBLK_SIZE 7656
#define DEVBLK_SUBCHANNEL 0x3e      /* U16 */
#define DEVBLK_NUMBER 0x40          /* U16 */
#define DEVBLK_CONTROL 0x11ba       /* scsw.flag2 */
#define CONTROL_HALT_OR_CLEAR 0x03  /* SCSW2_FC_HALT, SCSW2_FC_CLEAR */
#define REGS_VERSION "3.08"
#define REGS_SIZE 53648
#define REGS_CONDITION_CODE 0x14    /* psw.cc */

#define DEVICES 3       /* read, write and data: qeth_core_main.c, qeth_core_probe_device() */
#define MOST_NICS 64
#define MOST_REPLIES 64
#define MOST_MACS 16    /* of one NIC; real cards have room for more */
#define MOST_BYTES 4096 /* QETH_BUFSIZE, qeth_core.h */

enum mac_result { MAC_TAKEN, MAC_IS_ANOTHERS, MAC_TABLE_FULL };
enum { READ_DEVICE, WRITE_DEVICE, DATA_DEVICE };

struct reply {
    unsigned length;
    byte data[MOST_BYTES];
};

/* One NIC: three devices with numbers in a row. The first byte of the number is the card (CHPID). */
struct nic {
    unsigned first;        /* device number of the read device; 0: this entry is free */
    void *device[DEVICES]; /* hercules' DEVBLKs */
    bool activated[DEVICES];
    unsigned ports;
    bool silent;    /* does not answer */
    double seconds; /* before it answers the first time after it was brought online */
    byte macs[MOST_MACS][6]; /* registered on the card as long as its queues are active */
    unsigned mac_count;
    pthread_mutex_t lock;
    unsigned oldest, waiting; /* replies that the read device has not fetched yet */
    struct reply replies[MOST_REPLIES];
};

static inline unsigned device_number(const void *device)
{
    return *(const uint16_t *)((const byte *)device + DEVBLK_NUMBER);
}

static inline unsigned device_subchannel(const void *device)
{
    return *(const uint16_t *)((const byte *)device + DEVBLK_SUBCHANNEL);
}

/* Whether the guest wants a channel program that waits to end. */
static inline bool is_halted(const void *device)
{
    return ((const volatile byte *)device)[DEVBLK_CONTROL] & CONTROL_HALT_OR_CLEAR;
}

/* nics.c */
struct nic *nic_attach(void *device, int argc, char **argv); /* NULL: refused, and said why */
void nic_detach(void *device);
struct nic *nic_of_device(const void *device, int *index);
struct nic *nic_of_subchannel(unsigned subchannel);
struct nic *nic_of_card(unsigned chpid);
void nic_put_reply(struct nic *nic, const byte *data, unsigned length);
unsigned nic_take_reply(struct nic *nic, byte *data, unsigned room); /* 0: there is none */
void nic_drop_replies(struct nic *nic);
enum mac_result nic_add_mac(struct nic *nic, const byte *mac);
void nic_drop_mac(struct nic *nic, const byte *mac); /* NULL: all of them */

/* answers.c */
bool is_idx_activate(const byte *data, unsigned length);
unsigned idx_reply(byte *data, unsigned room);
void answer(struct nic *nic, const byte *data, unsigned length);

/* chsc.c */
void *channel_subsystem_call(void *response, void *request, void *regs);

#endif
