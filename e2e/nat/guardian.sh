#!/bin/sh
# Takes a lab down when its owner says so by closing our standard input, or is gone: an exit, a crash and a kill -9 close it alike.
#
#   guardian.sh FOLDER NAMESPACE...      the namespaces are this lab's own, so whatever runs in them is too
folder=$1
shift
cat >/dev/null
for namespace; do
  # Again while there is somebody left: a process may have started another meanwhile.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(ip netns pids "$namespace" 2>/dev/null)
    [ -n "$pids" ] || break
    kill -9 $pids 2>/dev/null
  done
  ip netns delete "$namespace" 2>/dev/null
done
rm -rf "$folder"
