# Outlives `cargo xtask` by a moment. It reads `watch PID` and `forget PID`; when
# its input ends, however xtask ended, it stops what is left: the process group of
# that number, or the process where there is no such group.
trap '' INT TERM HUP
pids=''
while read -r verb pid; do
    case $verb in
    watch) pids="$pids $pid" ;;
    forget)
        kept=''
        for one in $pids; do [ "$one" = "$pid" ] || kept="$kept $one"; done
        pids=$kept
        ;;
    esac
done
[ -n "$pids" ] || exit 0
for one in $pids; do kill -s TERM -- "-$one" 2>/dev/null || kill -s TERM "$one" 2>/dev/null; done
for _ in 1 2 3 4 5; do
    alive=''
    for one in $pids; do { kill -s 0 -- "-$one" || kill -s 0 "$one"; } 2>/dev/null && alive=yes; done
    [ -n "$alive" ] || exit 0
    sleep 1
done
for one in $pids; do kill -s KILL -- "-$one" 2>/dev/null || kill -s KILL "$one" 2>/dev/null; done
exit 0
