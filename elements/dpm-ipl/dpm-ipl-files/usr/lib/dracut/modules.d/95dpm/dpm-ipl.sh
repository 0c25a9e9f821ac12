#!/bin/sh
# dracut's initqueue reads this each time round; the paths are brought online the first time.

if [ ! -e "${DPM_ROOT:-}/run/dpm-ipl.done" ]; then
    (
        # shellcheck source=/dev/null
        . "${DPM_ROOT:-}/usr/lib/dpm-guest/ipl.sh"
        dpm_ipl_main
    )
    : >"${DPM_ROOT:-}/run/dpm-ipl.done"
fi
