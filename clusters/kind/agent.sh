# Runs in a node while storm holds its standard input open. It tells which process
# each component of the control plane is (runs NAME PID START POD CONTAINER, ends NAME),
# has a component's log and the node's own written to storm's folder too, and does
# what it is told (ID SCRIPT, the script in base64), answering with (done ID CODE OUTPUT).
index=$1
logs=$2
manifests=$3
components=$4
umask 077
declare -A pid start
mkdir -p /run/storm

# stat_of reads state and start of process $1 into st and began.
stat_of() {
  local line
  { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 1
  line=${line##*) }
  set -- $line
  st=$1 began=${20}
  [ "$st" != Z ] && [ "$st" != X ]
}

follow() { # what process $2 of component $1 logs, which is of the pod that pod_of read
  [ -e "/run/storm/followed-$2-$3" ] && return
  : > "/run/storm/followed-$2-$3"
  local file log=$1 at=/var/log/pods/kube-system_${pod}_$uid/$1
  [ "$1" = etcd ] && log=etcd-main # of a further shard it is etcd-SHARD already
  {
    until file=$(ls -v "$at"/*.log | tail -n 1) && [ -n "$file" ]; do
      kill -0 "$2" || exit # it ended before it had one
      sleep 0.1
    done
    exec tail -n +1 -F --pid="$2" "$file" >> "$logs/$log-$index.log"
  } > /dev/null 2>&1 < /dev/null &
}

# pod_of reads what process $1 is of into pod and uid, its container into box, and which
# component that is into name: the static pods of several shards of etcd run the same
# program, and each has one container, which has the component's name.
pod_of() {
  local line dir
  while read -r line; do
    [[ $line =~ pod([0-9a-f_-]{32,36})[^/]*/(.*-)?([0-9a-f]{64}) ]] || continue
    uid=${BASH_REMATCH[1]//_/-} box=${BASH_REMATCH[3]}
    for dir in /var/log/pods/kube-system_*_"$uid"; do
      [ -d "$dir" ] || continue
      for name in "$dir"/*/; do
        name=${name%/} name=${name##*/}
      done
      dir=${dir##*/kube-system_}
      pod=${dir%_*}
      return 0
    done
  done 2>/dev/null < "/proc/$1/cgroup"
  return 1
}

journals() { # what the node's own services log, from the start of its container on
  local unit key value booted
  while read -r key value _; do
    [ "$key" = btime ] && booted=$value
  done < /proc/stat
  stat_of 1 || return
  for unit in kubelet containerd; do
    [ -e "/run/storm/journal-$unit" ] && continue
    : > "/run/storm/journal-$unit"
    journalctl --follow --output short-iso-precise --since "@$((booted + began / 100 - 1))" --unit "$unit" >> "$logs/$unit-$index.log" 2>/dev/null < /dev/null &
  done
}

# look tells what has changed. Where a component has no manifest none is looked for:
# that may be so for a whole trial, and a look at every process is not cheap.
look() {
  local name d comm p missing=' '
  for name in $components; do
    p=${pid[$name]:-}
    if [ -n "$p" ] && stat_of "$p" && [ "$began" = "${start[$name]}" ]; then continue; fi
    if [ -n "$p" ]; then
      pid[$name]=
      echo "ends $name"
    fi
    [ -e "$manifests/$name.yaml" ] && missing+="$name "
  done
  [ "$missing" != ' ' ] || return
  for d in /proc/[0-9]*; do
    { read -r comm < "$d/comm"; } 2>/dev/null || continue
    case $comm in
      kube-apiserver | kube-controller | kube-scheduler | etcd | etcd-*) ;;
      *) continue ;;
    esac
    p=${d#/proc/}
    # One whose pod is not to be seen yet is looked at again the next time.
    if stat_of "$p" && pod_of "$p" && [[ $missing == *" $name "* ]] && [ -z "${pid[$name]:-}" ]; then
      pid[$name]=$p start[$name]=$began
      echo "runs $name $p $began $pod $box"
      follow "$name" "$p" "$began"
    fi
  done
}

hit() { # sends signal $2 to the process of component $1, unless that has ended
  local p=${pid[$1]:-}
  if [ -z "$p" ] || ! stat_of "$p" || [ "$began" != "${start[$1]}" ]; then
    echo "it has ended"
    return 1
  fi
  kill -"$2" "$p"
}

obey() {
  local id=${1%% *} script out code
  script=$(base64 -d <<< "${1#* }")
  if [ "$script" = again ]; then # who listens now knows nothing yet
    pid=()
    echo "done $id 0"
    return
  fi
  out=$(eval "$script" 2>&1)
  code=$?
  echo "done $id $code $(base64 -w0 <<< "$out")"
}

journals
echo "here"
partial=
while :; do
  if IFS= read -r -t 0.1 line; then
    line=$partial$line partial=
    obey "$line"
  elif [ $? -gt 128 ]; then
    partial=$partial$line
  else
    exit 0
  fi
  look
done
