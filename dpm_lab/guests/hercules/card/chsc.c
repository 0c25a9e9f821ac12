/*
 * Channel subsystem calls that hercules leaves unanswered. Without 0002 Linux makes no channel path, and without a
 * channel path qeth refuses to group (ENOMEM).
 * Sources: drivers/s390/cio/chsc.h (struct channel_path_desc_fmt0, struct chsc_ssqd_area, struct qdio_ssqd_desc),
 * arch/s390/include/asm/chpid.h; hercules' chsc.c calls us through debug_chsc_unknown_request.
 */
#include <string.h>

#include "card.h"

#define CALL_DESCRIBE_PATHS 0x0002
#define CALL_DESCRIBE_QUEUES 0x0024 /* store subchannel QDIO data */
#define RESPONSE_OK 0x0001
#define HEADER 8

#define PATH_OSD 0x11
#define PATH_FICON 0x1b /* the guest's disk */

static unsigned half(const byte *data)
{
    return data[0] << 8 | data[1];
}

/* A channel path: flags, logical switch, kind, id, and four bytes that do not matter here. */
static byte *describe_paths(const byte *request, byte *entry)
{
    for (unsigned chpid = request[7]; chpid <= request[11]; chpid++, entry += 8) {
        struct nic *nic = nic_of_card(chpid);

        memset(entry, 0, 8);
        entry[0] = 0x80; /* valid */
        entry[2] = nic ? PATH_OSD : PATH_FICON;
        entry[3] = chpid;
    }
    return entry;
}

/* The QDIO features of one subchannel. The number of ports is what sysfs' portno is checked against. */
static byte *describe_queues(const byte *request, byte *entry)
{
    struct nic *nic = nic_of_subchannel(half(request + 6));

    memset(entry, 0, 32);
    entry[2] = request[6];
    entry[3] = request[7];
    if (nic) {
        entry[0] = 0xc0; /* QDIO subchannel with valid data; no SIGA is needed (qdioac1) */
        entry[8] = nic->ports;
        entry[9] = 1;  /* icnt */
        entry[11] = 4; /* ocnt */
    }
    return entry + 32;
}

void *channel_subsystem_call(void *response, void *request, void *regs)
{
    byte *out = response, *end;
    const byte *in = request;
    unsigned length;

    memset(out, 0, HEADER);
    /* The low half of bytes 4 and 6 are the format and subsystem image; others than 0 we do not know. */
    if (half(in + 2) == CALL_DESCRIBE_PATHS && !(in[4] & 0x0f) && !(in[6] & 0x0f))
        end = describe_paths(in, out + HEADER);
    else if (half(in + 2) == CALL_DESCRIBE_QUEUES)
        end = describe_queues(in, out + HEADER);
    else
        return NULL; /* hercules says that there is no such call */
    length = end - out;
    out[0] = length >> 8;
    out[1] = length & 0xff;
    out[3] = RESPONSE_OK;
    ((byte *)regs)[REGS_CONDITION_CODE] = 0;
    return response;
}
