/*
 * How hercules knows us (its hdl.h, hdl.c) and how channel commands reach us (its DEVHND, hstructs.h; qeth.c).
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "card.h"

#ifndef STOCK_DEVICE
#define STOCK_DEVICE "/usr/lib/hercules/hdtqeth.so"
#endif

enum { HANDLER_INIT, HANDLER_EXECUTE, HANDLER_CLOSE, HANDLERS = 19 };

enum {
    COMMAND_WRITE = 0x01,
    COMMAND_READ = 0x02,
    COMMAND_NOP = 0x03,
    COMMAND_READ_CONFIGURATION = 0xfa,
    COMMAND_ESTABLISH_QUEUES = 0xfc,
    COMMAND_ACTIVATE_QUEUES = 0xfd,
};
#define CHANNEL_AND_DEVICE_END 0x0c

/* Where the driver finds the card's CHPID and the unit address (qeth_core_main.c, qeth_read_conf_data_cb). */
#define CONFIGURATION_CHPID 30
#define CONFIGURATION_UNIT 31

typedef int init_handler(void *device, int argc, char **argv);
typedef int close_handler(void *device);
typedef void execute_handler(void *device, byte code, byte flags, byte chained, uint16_t count, byte previous,
                             int sequence, byte *data, byte *more, byte *status, uint16_t *residual);

static void *handlers[HANDLERS];
static init_handler *stock_init;
static execute_handler *stock_execute;
static close_handler *stock_close;

static int init(void *device, int argc, char **argv)
{
    struct nic *nic = nic_attach(device, argc, argv);

    return nic ? stock_init(device, 0, NULL) : -1;
}

static int close_device(void *device)
{
    nic_detach(device);
    return stock_close(device);
}

/* Wait, unless the guest does not wait any more. */
static void wait_unless_halted(const void *device, double seconds)
{
    struct timespec begin, now;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        if (is_halted(device))
            return;
        usleep(5000);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - begin.tv_sec + (now.tv_nsec - begin.tv_nsec) / 1e9 < seconds);
}

static void wait_until_halted(const void *device)
{
    while (!is_halted(device))
        usleep(5000);
}

/* The first message of a device is IDX ACTIVATE; what follows on the write device is answered on the read device. */
static void write_command(struct nic *nic, int index, const byte *data, unsigned count)
{
    nic->activated[index] = is_idx_activate(data, count);
    if (index == WRITE_DEVICE && !nic->activated[index])
        answer(nic, data, count);
}

/* Returns how many bytes there are to read; waits for them. */
static unsigned read_command(struct nic *nic, int index, byte *data, unsigned room, bool after_write)
{
    const void *device = nic->device[index];
    unsigned length;

    if (nic->silent) {
        wait_until_halted(device);
        return 0;
    }
    if (nic->activated[index] && after_write) {
        nic->activated[index] = false;
        if (index == READ_DEVICE && nic->seconds > 0)
            wait_unless_halted(device, nic->seconds);
        return idx_reply(data, room);
    }
    while (!(length = nic_take_reply(nic, data, room)) && !is_halted(device))
        usleep(2000);
    return length;
}

static void execute(void *device, byte code, byte flags, byte chained, uint16_t count, byte previous, int sequence,
                    byte *data, byte *more, byte *status, uint16_t *residual)
{
    int index = 0;
    struct nic *nic = nic_of_device(device, &index);

    *status = CHANNEL_AND_DEVICE_END;
    *residual = 0;
    if (!nic) {
        stock_execute(device, code, flags, chained, count, previous, sequence, data, more, status, residual);
    } else if (code == COMMAND_WRITE) {
        write_command(nic, index, data, count);
    } else if (code == COMMAND_READ) {
        *residual = count - read_command(nic, index, data, count, previous == COMMAND_WRITE);
    } else if (code == COMMAND_ESTABLISH_QUEUES) {
        /* Not to the stock handler: hercules 3.13 takes 0xfc for a read backward, and it would overwrite the guest. */
        *residual = count;
    } else if (code == COMMAND_ACTIVATE_QUEUES) {
        /* Queues are active until the guest halts this channel program. */
        wait_until_halted(device);
        nic_drop_mac(nic, NULL);
    } else {
        if (code == COMMAND_NOP)
            nic_drop_replies(nic);
        stock_execute(device, code, flags, chained, count, previous, sequence, data, more, status, residual);
        if (code == COMMAND_READ_CONFIGURATION && count > CONFIGURATION_UNIT) {
            data[CONFIGURATION_CHPID] = nic->first >> 8;
            data[CONFIGURATION_UNIT] = device_number(device) & 0xff;
        }
    }
}

static int capture(char *name, void *stock)
{
    (void)name;
    memcpy(handlers, stock, sizeof handlers);
    stock_init = handlers[HANDLER_INIT];
    stock_execute = handlers[HANDLER_EXECUTE];
    stock_close = handlers[HANDLER_CLOSE];
    handlers[HANDLER_INIT] = init;
    handlers[HANDLER_EXECUTE] = execute;
    handlers[HANDLER_CLOSE] = close_device;
    return 0;
}

/* Hercules calls the following by their names. */

int hdl_depc(int (*check)(char *name, char *version, int size))
{
    int wrong = check("HERCULES", HERCULES_VERSION, sizeof HERCULES_VERSION);

    wrong |= check("DEVBLK", DEVBLK_VERSION, DEVBLK_SIZE);
    wrong |= check("REGS", REGS_VERSION, REGS_SIZE);
    if (wrong)
        printf("osa: this is not the hercules that the card was made for (Debian's 3.13, amd64)\n");
    return wrong;
}

void hdl_init(int (*register_symbol)(char *name, void *address))
{
    register_symbol("debug_chsc_unknown_request", (void *)channel_subsystem_call);
}

void hdl_ddev(int (*register_device)(char *name, void *handlers))
{
    void *library = dlopen(STOCK_DEVICE, RTLD_NOW | RTLD_LOCAL);
    void (*stock_ddev)(int (*)(char *, void *)) = NULL;

    if (library && !(stock_ddev = dlsym(library, "hdl_ddev")))
        stock_ddev = dlsym(library, "hdtqeth_LTX_hdl_ddev");
    if (!stock_ddev) {
        printf("osa: hercules' own QETH device: %s\n", dlerror());
        return;
    }
    stock_ddev(capture);
    register_device("QETH", handlers);
}
