#!/usr/bin/env bash
# A Slurm of one host for tests, on Debian as root and without systemd: controller, node and munge on this machine.
#   one_host.sh up FOLDER     install what is missing, start the daemons, wait until the node takes jobs
#   one_host.sh down FOLDER   stop what `up` started and remove what it installed and wrote
# FOLDER holds state, logs and pids. Two GPUs are advertised that are none: Slurm hands them out and sets
# CUDA_VISIBLE_DEVICES. There is no accounting database, so `sacct` does not work.
set -euo pipefail

ACTION=${1:-} FOLDER=${2:-}
PACKAGES=(munge slurmctld slurmd slurm-client)
CONFIG=/etc/slurm
HOST=$(hostname -s)
MARK="# Written by tests/slurm/one_host.sh"
GPUS=2

fail() { echo "one_host.sh: $*" >&2; exit 2; }

# wait_until SECONDS WHAT COMMAND...
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1 </dev/null; do
    [ $SECONDS -lt $deadline ] || fail "waited in vain for $what; its log is in $FOLDER"
    sleep 0.2
  done
}

installed_packages() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort; }

install_missing() {
  dpkg-query -W "${PACKAGES[@]}" >/dev/null 2>&1 && return
  installed_packages >"$FOLDER/packages.before"
  if [ ! -e /usr/sbin/policy-rc.d ]; then  # a package must not start its own daemon
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    install -m 755 <(printf '#!/bin/sh\nexit 101\n') /usr/sbin/policy-rc.d
  fi
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${PACKAGES[@]}"; } >"$FOLDER/apt.log" 2>&1 ||
    fail "apt-get could not install ${PACKAGES[*]}: $(tail -n 3 "$FOLDER/apt.log")"
}

start_munge() {
  install -d -o munge -g munge -m 755 /run/munge
  install -d -o munge -g munge -m 700 /etc/munge /var/log/munge /var/lib/munge
  [ -s /etc/munge/munge.key ] || install -o munge -g munge -m 400 <(head -c 1024 /dev/urandom) /etc/munge/munge.key
  if ! (munge -n | unmunge) >/dev/null 2>&1; then
    runuser -u munge -- munged --pid-file=/run/munge/munged.pid
    wait_until 10 munged test -s /run/munge/munged.pid
    cp /run/munge/munged.pid "$FOLDER/munged.pid"
  fi
}

write_configuration() {
  local hardware
  hardware=$(slurmd -C | grep -oE '(CPUs|RealMemory)=[0-9]+' | tr '\n' ' ')
  mkdir -p "$CONFIG" "$FOLDER/node" "$FOLDER/controller"
  printf '%s\n' "$MARK" >"$CONFIG/gres.conf"
  for ((i = 0; i < GPUS; i++)); do  # Slurm wants a device file: one that behaves as /dev/null does
    mknod -m 666 "$FOLDER/gpu$i" c 1 3
    echo "Name=gpu File=$FOLDER/gpu$i" >>"$CONFIG/gres.conf"
  done
  cat >"$CONFIG/slurm.conf" <<END
$MARK
ClusterName=one_host
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
# without cgroups memory is watched by polling; a job over its limit is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
KillWait=5
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,batch_sched_delay=1
ReturnToService=2
# squeue still lists a job so long after its end, in seconds
MinJobAge=3600
StateSaveLocation=$FOLDER/controller
SlurmdSpoolDir=$FOLDER/node
SlurmctldPidFile=$FOLDER/controller/slurmctld.pid
SlurmdPidFile=$FOLDER/node/slurmd.pid
SlurmctldLogFile=$FOLDER/controller/slurmctld.log
SlurmdLogFile=$FOLDER/node/slurmd.log
NodeName=$HOST NodeAddr=127.0.0.1 $hardware Gres=gpu:$GPUS State=UNKNOWN
PartitionName=tests Nodes=$HOST Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
END
}

up() {
  [ "$(id -u)" = 0 ] || fail "a Slurm for tests needs root; run these tests as root, in a container for example"
  command -v apt-get >/dev/null || fail "a Slurm for tests needs Debian's packages ${PACKAGES[*]}; there is no apt-get"
  if [ -e "$CONFIG/slurm.conf" ] && ! grep -qF "$MARK" "$CONFIG/slurm.conf"; then
    fail "this machine has a Slurm of its own ($CONFIG/slurm.conf); run these tests on another one"
  fi
  mkdir -p "$FOLDER"
  install_missing
  start_munge
  write_configuration
  slurmctld
  wait_until 20 slurmctld scontrol ping
  slurmd
  wait_until 30 "an idle node" sh -c "sinfo -h -o %t | grep -qx idle"
}

# stop PIDFILE: end the process and wait for it
stop() {
  [ -s "$1" ] || return 0
  local pid
  pid=$(tr -dc 0-9 <"$1")
  kill "$pid" 2>/dev/null || true
  for _ in {1..50}; do
    { [ -d "/proc/$pid" ] && ! grep -qs '^State:.*Z' "/proc/$pid/status"; } || break
    sleep 0.2
  done
  rm -f "$1"
}

down() {
  if grep -qsF "$MARK" "$CONFIG/slurm.conf"; then
    scancel --user=root || true
    stop "$FOLDER/node/slurmd.pid"
    stop "$FOLDER/controller/slurmctld.pid"
    rm -f "$CONFIG/slurm.conf" "$CONFIG/gres.conf" "$FOLDER"/gpu*
  fi
  stop "$FOLDER/munged.pid"
  if [ -s "$FOLDER/packages.before" ]; then
    installed_packages | comm -13 "$FOLDER/packages.before" - |
      DEBIAN_FRONTEND=noninteractive xargs -r apt-get purge -y -qq >>"$FOLDER/apt.log" 2>&1
  fi
}

[ -n "$FOLDER" ] || fail "usage: one_host.sh up|down FOLDER"
case $ACTION in
  up | down) "$ACTION" ;;
  *) fail "usage: one_host.sh up|down FOLDER" ;;
esac
