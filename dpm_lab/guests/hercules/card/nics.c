/* The NICs of this machine, and what each one has still to say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"

static struct nic nics[MOST_NICS];
static pthread_mutex_t nics_lock = PTHREAD_MUTEX_INITIALIZER;

static bool read_option(struct nic *nic, const char *text)
{
    char *end = "";

    if (strcmp(text, "silent") == 0)
        nic->silent = true;
    else if (strncmp(text, "ports=", 6) == 0)
        nic->ports = strtoul(text + 6, &end, 10);
    else if (strncmp(text, "delay=", 6) == 0)
        nic->seconds = strtod(text + 6, &end);
    else
        return false;
    return *end == '\0' && nic->ports >= 1 && nic->ports <= 16;
}

static struct nic *find(unsigned number)
{
    for (struct nic *nic = nics; nic < nics + MOST_NICS; nic++)
        if (nic->first && number >= nic->first && number < nic->first + DEVICES)
            return nic;
    return NULL;
}

static struct nic *changed(struct nic *nic, int argc, char **argv)
{
    nic->silent = false;
    nic->seconds = 0;
    for (int i = 0; i < argc; i++)
        if (!read_option(nic, argv[i])) {
            printf("osa: %04x: bad option %s\n", nic->first, argv[i]);
            return NULL;
        }
    return nic;
}

static struct nic *new_nic(unsigned number, int argc, char **argv)
{
    for (struct nic *nic = nics; nic < nics + MOST_NICS; nic++) {
        if (nic->first)
            continue;
        memset(nic, 0, sizeof *nic);
        pthread_mutex_init(&nic->lock, NULL);
        nic->ports = 2;
        for (int i = 0; i < argc; i++)
            if (!read_option(nic, argv[i])) {
                printf("osa: %04x: bad option %s\n", number, argv[i]);
                return NULL;
            }
        nic->first = number;
        return nic;
    }
    printf("osa: %04x: no more than %d NICs\n", number, MOST_NICS);
    return NULL;
}

/*
 * A device whose number follows on those of a NIC that misses some joins it; any other begins a NIC. A NIC whose first
 * device is initialised anew ("devinit 0700 ports=2") is a card that was repaired or broke: it is as it says now.
 */
struct nic *nic_attach(void *device, int argc, char **argv)
{
    unsigned number = device_number(device);

    pthread_mutex_lock(&nics_lock);
    struct nic *nic = find(number);
    if (!nic)
        nic = new_nic(number, argc, argv);
    else if (number == nic->first && argc)
        nic = changed(nic, argc, argv);
    if (nic)
        nic->device[number - nic->first] = device;
    pthread_mutex_unlock(&nics_lock);
    return nic;
}

void nic_detach(void *device)
{
    int index;

    pthread_mutex_lock(&nics_lock);
    struct nic *nic = nic_of_device(device, &index);
    if (nic) {
        nic->device[index] = NULL;
        if (!nic->device[READ_DEVICE] && !nic->device[WRITE_DEVICE] && !nic->device[DATA_DEVICE])
            nic->first = 0;
    }
    pthread_mutex_unlock(&nics_lock);
}

struct nic *nic_of_device(const void *device, int *index)
{
    struct nic *nic = find(device_number(device));

    if (nic) {
        *index = device_number(device) - nic->first;
        if (nic->device[*index] == device)
            return nic;
    }
    return NULL;
}

struct nic *nic_of_subchannel(unsigned subchannel)
{
    for (struct nic *nic = nics; nic < nics + MOST_NICS; nic++)
        for (int i = 0; nic->first && i < DEVICES; i++)
            if (nic->device[i] && device_subchannel(nic->device[i]) == subchannel)
                return nic;
    return NULL;
}

struct nic *nic_of_card(unsigned chpid)
{
    for (struct nic *nic = nics; nic < nics + MOST_NICS; nic++)
        if (nic->first && nic->first >> 8 == chpid)
            return nic;
    return NULL;
}

void nic_put_reply(struct nic *nic, const byte *data, unsigned length)
{
    pthread_mutex_lock(&nic->lock);
    if (nic->waiting < MOST_REPLIES && length <= MOST_BYTES) {
        struct reply *reply = &nic->replies[(nic->oldest + nic->waiting++) % MOST_REPLIES];

        reply->length = length;
        memcpy(reply->data, data, length);
    } else
        printf("osa: %04x: a reply of %u bytes is lost\n", nic->first, length);
    pthread_mutex_unlock(&nic->lock);
}

unsigned nic_take_reply(struct nic *nic, byte *data, unsigned room)
{
    unsigned length = 0;

    pthread_mutex_lock(&nic->lock);
    if (nic->waiting) {
        struct reply *reply = &nic->replies[nic->oldest];

        length = reply->length < room ? reply->length : room;
        memcpy(data, reply->data, length);
        nic->oldest = (nic->oldest + 1) % MOST_REPLIES;
        nic->waiting--;
    }
    pthread_mutex_unlock(&nic->lock);
    return length;
}

void nic_drop_replies(struct nic *nic)
{
    pthread_mutex_lock(&nic->lock);
    nic->waiting = 0;
    pthread_mutex_unlock(&nic->lock);
}

/* Two NICs of one card can't have the same MAC. */
enum mac_result nic_add_mac(struct nic *nic, const byte *mac)
{
    for (struct nic *other = nics; other < nics + MOST_NICS; other++)
        for (unsigned i = 0; other->first && other->first >> 8 == nic->first >> 8 && i < other->mac_count; i++)
            if (memcmp(other->macs[i], mac, sizeof other->macs[i]) == 0)
                return other == nic ? MAC_TAKEN : MAC_IS_ANOTHERS;
    if (nic->mac_count == MOST_MACS)
        return MAC_TABLE_FULL;
    memcpy(nic->macs[nic->mac_count++], mac, sizeof nic->macs[0]);
    return MAC_TAKEN;
}

void nic_drop_mac(struct nic *nic, const byte *mac)
{
    if (!mac)
        nic->mac_count = 0;
    for (unsigned i = 0; i < nic->mac_count; i++)
        if (memcmp(nic->macs[i], mac, sizeof nic->macs[i]) == 0)
            memcpy(nic->macs[i], nic->macs[--nic->mac_count], sizeof nic->macs[i]);
}
