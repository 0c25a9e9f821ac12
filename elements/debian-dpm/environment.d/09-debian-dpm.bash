# Before 10-debian-minimal, whose defaults these replace.
export DIB_RELEASE=${DIB_RELEASE:-bookworm}
# cloud-init describes the interfaces; files for eth0 and eth1 would only be in its way.
export DIB_APT_MINIMAL_CREATE_INTERFACES=${DIB_APT_MINIMAL_CREATE_INTERFACES:-0}
# The base element, which is part of every image without the option -n, would add an iSCSI initiator.
export DIB_SKIP_BASE_PACKAGE_INSTALL=${DIB_SKIP_BASE_PACKAGE_INSTALL:-1}
# Keep the base system as a tarball and use it the next time.
export DIB_DEBOOTSTRAP_CACHE=${DIB_DEBOOTSTRAP_CACHE:-1}
export DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE=${DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE:-1}

# Outside of the image (root.d): the mirrors that this machine's apt uses, and all packages in the base.
if [ -n "${TARGET_ROOT:-}" ]; then
    if command -v apt-get >/dev/null; then
        for dpm_suite in "$DIB_RELEASE" "$DIB_RELEASE-security"; do
            # shellcheck disable=SC2016 # apt's own variables
            dpm_mirror=$(apt-get indextargets --format '$(REPO_URI)' "Release: $dpm_suite" "Component: main" "Origin: Debian" 2>/dev/null | sort -u | head -n 1)
            if [ "$dpm_suite" = "$DIB_RELEASE" ]; then
                DIB_DISTRIBUTION_MIRROR=${DIB_DISTRIBUTION_MIRROR:-$dpm_mirror}
            else
                DIB_DEBIAN_SECURITY_MIRROR=${DIB_DEBIAN_SECURITY_MIRROR:-$dpm_mirror}
            fi
        done
    fi
    eval "declare -A dpm_elements=($(get_image_element_array))"
    # shellcheck disable=SC2154 # declared by the eval above
    dpm_packages=$(sed -n 's/^\([a-z0-9.+-]*\):$/\1/p' "${dpm_elements[debian-dpm]}/package-installs.yaml" | paste -sd,)
    DIB_MMDEBSTRAP_EXTRA_ARGS="--include=$dpm_packages --dpkgopt=$TMP_HOOKS_PATH/mmdebstrap/dpkg.cfg"
    DIB_MMDEBSTRAP_EXTRA_ARGS+=" --hook-dir=$TMP_HOOKS_PATH/mmdebstrap"
    export DIB_DISTRIBUTION_MIRROR DIB_DEBIAN_SECURITY_MIRROR DIB_MMDEBSTRAP_EXTRA_ARGS
fi
