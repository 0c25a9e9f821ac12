/*
 * What the card answers. The driver compares little of a reply with its request, so most replies are the request
 * itself: an IPA command whose return code is 0 has succeeded, and one that asks which functions there are gets "none".
 * Sources: drivers/s390/net/qeth_core_mpc.h (all offsets), qeth_core_main.c, qeth_l2_main.c.
 */
#include <stdio.h>
#include <string.h>

#include "card.h"

#define IDX_ACTIVATE_SIZE 0x22
#define IDX_REPLY_KIND 0x08 /* QETH_IS_IDX_ACT_POS_REPLY: its low two bits are 2 */
#define IDX_FUNCTION_LEVEL 0x10
#define IDX_CARD_LEVEL 0x12 /* QETH_IDX_REPLY_LEVEL: four EBCDIC digits; an OSA-Express7S shows 0766 */

#define MESSAGE_KIND 0x18 /* in the RRH: CM 0x81, ULP 0x41, IPA 0xc1 (qeth_core_mpc.c, IPA_PDU_HEADER) */
#define MESSAGE_IPA 0xc1
#define IPA_COMMAND 0x40 /* IPA_PDU_HEADER_SIZE; struct qeth_ipacmd_hdr begins here */
#define IPA_RETURN_CODE 0x44
#define IPA_MAC 0x58 /* struct qeth_ipacmd_layer2setdelmac, behind a header of 20 and a length of 4 bytes */
#define IPA_CMD_SETVMAC 0x21
#define IPA_CMD_DELVMAC 0x22
#define IPA_CMD_VNICC 0x2a
#define IPA_RC_L2_UNSUPPORTED_CMD 0x2003
#define IPA_RC_L2_DUP_MAC 0x2005
#define IPA_RC_L2_ADDR_TABLE_FULL 0x2006
#define IPA_RC_L2_MAC_NOT_AUTH_BY_ADP 0x200d

#define MAC_MULTICAST 0x01
#define MAC_LOCALLY_ADMINISTERED 0x02

/* IDX ACTIVATE READ and WRITE, the first message on a device: 00 00 80 ... */
bool is_idx_activate(const byte *data, unsigned length)
{
    return length == IDX_ACTIVATE_SIZE && data[0] == 0x00 && data[2] == 0x80;
}

unsigned idx_reply(byte *data, unsigned room)
{
    static const byte level[] = {0xf0, 0xf7, 0xf6, 0xf6};
    byte reply[IDX_ACTIVATE_SIZE] = {0};
    unsigned length = room < sizeof reply ? room : sizeof reply;

    reply[2] = 0x80;
    reply[IDX_REPLY_KIND] = 0x1a;
    reply[IDX_FUNCTION_LEVEL] = 0x02; /* what qeth_peer_func_level() makes of its own 0x0101 */
    reply[IDX_FUNCTION_LEVEL + 1] = 0x01;
    memcpy(reply + IDX_CARD_LEVEL, level, sizeof level);
    memcpy(data, reply, length);
    return length;
}

/* A card takes only a MAC that is locally administered and no multicast address. */
static bool is_refused(const byte *mac)
{
    return (mac[0] & MAC_MULTICAST) || !(mac[0] & MAC_LOCALLY_ADMINISTERED);
}

static unsigned setvmac(struct nic *nic, const byte *mac)
{
    if (is_refused(mac))
        return IPA_RC_L2_MAC_NOT_AUTH_BY_ADP;
    switch (nic_add_mac(nic, mac)) {
    case MAC_IS_ANOTHERS:
        return IPA_RC_L2_DUP_MAC;
    case MAC_TABLE_FULL:
        return IPA_RC_L2_ADDR_TABLE_FULL;
    default:
        return 0;
    }
}

static void set_return_code(byte *reply, unsigned code)
{
    reply[IPA_RETURN_CODE] = code >> 8;
    reply[IPA_RETURN_CODE + 1] = code & 0xff;
}

void answer(struct nic *nic, const byte *data, unsigned length)
{
    byte reply[MOST_BYTES];

    if (length > sizeof reply)
        length = sizeof reply;
    memcpy(reply, data, length);
    if (length >= IPA_MAC + 6 && reply[MESSAGE_KIND] == MESSAGE_IPA) {
        if (reply[IPA_COMMAND] == IPA_CMD_SETVMAC)
            set_return_code(reply, setvmac(nic, reply + IPA_MAC));
        else if (reply[IPA_COMMAND] == IPA_CMD_DELVMAC)
            nic_drop_mac(nic, reply + IPA_MAC);
        else if (reply[IPA_COMMAND] == IPA_CMD_VNICC) /* only HiperSockets have these */
            set_return_code(reply, IPA_RC_L2_UNSUPPORTED_CMD);
    }
    nic_put_reply(nic, reply, length);
}
