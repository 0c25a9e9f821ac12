#!/usr/bin/env bats
# rhel-dpm: how the builder's mkfs makes a root file system that RHEL 9 can check and grow.

bats_require_minimum_version 1.5.0

setup() {
    element=$BATS_TEST_DIRNAME/../../elements/rhel-dpm
    export TMP_HOOKS_PATH=$BATS_TEST_TMPDIR/hooks DIB_ROOT_FSTYPE=ext4 DIB_RELEASE=9
    cp -r "$element" "$TMP_HOOKS_PATH"
    # The defaults of e2fsprogs 1.47, which Debian 12 does not have.
    MKE2FS_CONFIG=$BATS_TEST_TMPDIR/mke2fs.conf
    knows=yes
    truncate -s 16M "$BATS_TEST_TMPDIR/disk"
    mke2fs -n -q -F -O ^orphan_file "$BATS_TEST_TMPDIR/disk" >/dev/null 2>&1 || knows=
    printf '[defaults]\nbase_features = sparse_super,filetype,resize_inode,dir_index,ext_attr\nblocksize = 4096\ninode_size = 256\n' \
        >"$MKE2FS_CONFIG"
    printf '[fs_types]\next4 = {\nfeatures = has_journal,extent,flex_bg,metadata_csum,64bit,metadata_csum_seed%s\n}\n' \
        "${knows:+,orphan_file}" >>"$MKE2FS_CONFIG"
    export MKE2FS_CONFIG
}

# options [OPTIONS]: mkfs's options after diskimage-builder's own code has run the hooks, in a build that has these.
options() {
    # In a shell of its own: it sets traps.
    # shellcheck disable=SC2016 # that shell's variables
    _LIB=$(python3 -c 'import diskimage_builder as d; print(list(d.__path__)[0])')/lib bash -e -c '
        source "$_LIB/common-functions"
        MKFS_OPTS=$1
        eval_run_d block-device "IMAGE_BLOCK_DEVICE=" >&2
        echo "$MKFS_OPTS"
    ' bash "${1:-}" 2>/dev/null
}

# features OPTIONS: of the file system that mkfs makes with these.
features() {
    rm -f "$BATS_TEST_TMPDIR/disk"
    # shellcheck disable=SC2086 # words
    mke2fs -q -F -t ext4 $1 "$BATS_TEST_TMPDIR/disk" 64M
    dumpe2fs -h "$BATS_TEST_TMPDIR/disk" 2>/dev/null | sed -n 's/^Filesystem features: *//p'
}

@test "a root for RHEL 9 has no feature that its e2fsprogs refuses, where the builder's mkfs would turn it on" {
    [[ $(features "") == *metadata_csum_seed* ]]
    [ -z "$knows" ] || [[ $(features "") == *orphan_file* ]]

    found=$(features "$(options "-i 4096 -J size=4")")

    [[ $found != *orphan_file* ]]
    [ -z "$knows" ] || [[ $found != *metadata_csum_seed* ]]
    [[ $found == *metadata_csum* ]]
}

@test "mkfs of a builder that is as old as RHEL 9 is told nothing that it does not know" {
    [ -z "$knows" ] || skip "e2fsprogs here is not that old"

    [ "$(options "-i 4096")" = "-i 4096" ]
}

@test "other releases, other file systems, and a choice of the caller's stay as they are" {
    [ "$(DIB_RELEASE=10 options "-i 4096")" = "-i 4096" ]
    [ "$(DIB_ROOT_FSTYPE=xfs options)" = "" ]
    [ "$(options "-i 4096 -O ^has_journal")" = "-i 4096 -O ^has_journal" ]
}
