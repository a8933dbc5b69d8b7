//! Which system calls are refused: those that reach the kernel's less trodden parts,
//! other processes, keys, mounts, namespaces and terminals. Compilers, interpreters,
//! test runners and local servers need none of them.
//!
//! Refused calls answer `EPERM`; those that programs try before something older
//! answer `ENOSYS`, so that they fall back.

use std::{collections::BTreeMap, env};

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Set in the number of a call through the x32 interface of x86-64 kernels.
const X32: i64 = 0x4000_0000;

/// Numbers that the x32 interface has for itself: ptrace, kexec_load, and reading and
/// writing another process's memory, ioctl.
const X32_OWN: [i64; 4] = [521, 528, 539, 540];
const X32_IOCTL: i64 = 514;

/// Answer `EPERM`.
const REFUSED: &[i64] = &[
    // Keys belong to the user, not to a namespace.
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // The kernel itself.
    libc::SYS_acct,
    libc::SYS_bpf,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_lookup_dcookie,
    libc::SYS_perf_event_open,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    // The clock.
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    // Mounts and namespaces.
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    // Other processes.
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    // Watching the whole file system.
    libc::SYS_fanotify_init,
];

/// Those of x86-64 alone.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// Answer `ENOSYS`.
const UNKNOWN: &[i64] = &[
    // Its flags are behind a pointer; the C library falls back to `clone`.
    libc::SYS_clone3,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_memfd_secret,
    libc::SYS_userfaultfd,
];

/// Namespaces, as `clone` and `unshare` name them.
const NAMESPACES: [i32; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Not in every C library's header, and for `unshare` alone.
const CLONE_NEWTIME: u64 = 0x80;

/// Requests that put words into a terminal as if they had been typed there:
/// `TIOCSTI` and `TIOCLINUX`, whose types differ between C libraries.
const TYPING: [u64; 2] = [0x5412, 0x541C];

/// Kinds of sockets that stay: on this machine, IPv4, IPv6, and asking for the
/// network's state. What remains, vsock above all, knows no network namespace.
const SOCKETS: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// The one netlink protocol that is needed: the list of interfaces.
const NETLINK_ROUTE: u64 = 0;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Applies the filter to this thread and whatever it becomes.
pub(super) fn apply() -> Result<(), String> {
    let programs = programs().map_err(|error| format!("seccomp: {error}"))?;
    for program in programs {
        apply_filter(&program).map_err(|error| format!("seccomp: {error}"))?;
    }
    Ok(())
}

fn programs() -> Result<[BpfProgram; 2], Error> {
    let unconditional = |numbers: &[i64]| -> Rules {
        numbers
            .iter()
            .flat_map(|number| [(*number, Vec::new()), (number | X32, Vec::new())])
            .collect()
    };
    let mut refused = unconditional(REFUSED);
    refused.append(&mut unconditional(REFUSED_HERE));
    refused.extend(X32_OWN.map(|number| (number | X32, Vec::new())));
    let conditional = [
        (libc::SYS_clone, namespaces(&[])?),
        (libc::SYS_unshare, namespaces(&[CLONE_NEWTIME])?),
        (libc::SYS_ioctl, any_of(1, &TYPING)?),
        (libc::SYS_socket, sockets()?),
        (libc::SYS_socketpair, sockets()?),
    ];
    for (number, rules) in conditional {
        refused.insert(number, rules.clone());
        refused.insert(number | X32, rules);
    }
    refused.insert(X32_IOCTL | X32, any_of(1, &TYPING)?);
    Ok([
        program(refused, libc::EPERM)?,
        program(unconditional(UNKNOWN), libc::ENOSYS)?,
    ])
}

fn program(rules: Rules, errno: i32) -> Result<BpfProgram, Error> {
    let arch = TargetArch::try_from(env::consts::ARCH)?;
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    Ok(SeccompFilter::new(rules, SeccompAction::Allow, answer, arch)?.try_into()?)
}

fn namespaces(more: &[u64]) -> Result<Vec<SeccompRule>, Error> {
    let flags = NAMESPACES.iter().map(|flag| u64::from(flag.unsigned_abs()));
    flags
        .chain(more.iter().copied())
        .map(|flag| rule(&[(0, SeccompCmpOp::MaskedEq(flag), flag)]))
        .collect()
}

fn any_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, Error> {
    values
        .iter()
        .map(|value| rule(&[(argument, SeccompCmpOp::Eq, *value)]))
        .collect()
}

fn sockets() -> Result<Vec<SeccompRule>, Error> {
    let others = SOCKETS.map(|family| (0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs())));
    let netlink = u64::from(libc::AF_NETLINK.unsigned_abs());
    Ok(vec![
        rule(&others)?,
        rule(&[
            (0, SeccompCmpOp::Eq, netlink),
            (2, SeccompCmpOp::Ne, NETLINK_ROUTE),
        ])?,
    ])
}

/// All of these, as (argument, comparison, value). The kernel takes 32 bits of each.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, Error> {
    let conditions = conditions
        .iter()
        .map(|(argument, comparison, value)| {
            SeccompCondition::new(*argument, Dword, comparison.clone(), *value)
        })
        .collect::<Result<_, _>>()?;
    Ok(SeccompRule::new(conditions)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_one_that_the_kernel_takes() {
        /// `BPF_MAXINSNS`.
        const INSTRUCTIONS_MAX: usize = 4096;
        for program in programs().unwrap() {
            assert!(
                (1..=INSTRUCTIONS_MAX).contains(&program.len()),
                "{}",
                program.len()
            );
        }
    }
}
