# Sourced, with $python set: from here on an interrupt says so in one line and exits with 130. `interruptible COMMAND …`
# runs what takes its time: an interrupt ends it at once, with all that it has started.
child=

interruptible() {
    # In the background, so that the trap need not wait for it; in a session of its own, so that it has a group.
    "$python" -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@" &
    child=$!
    status=0
    wait $child || status=$?
    child=
    return $status
}

end_interrupted() {
    trap '' INT TERM
    [ -z "$child" ] || { kill -TERM -$child || kill -TERM $child; wait $child; } 2>/dev/null || :
    echo "make: interrupted" >&2
    # make, which the signal reaches too, stumbles if we are gone before it has answered: exit status 2, not 130.
    sleep 0.1
    exit 130
}

trap end_interrupted INT TERM
