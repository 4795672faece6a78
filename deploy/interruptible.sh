# Sourced, with $python set: `interruptible COMMAND …` runs it. An interrupt ends it at once with all that it has started,
# says so in one line, and exits with 130.
interruptible() {
    # In the background, so that the trap need not wait for it; in a session of its own, so that it has a group.
    "$python" -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@" &
    child=$!
    trap 'trap "" INT TERM; end_interrupted' INT TERM
    status=0
    wait $child || status=$?
    trap - INT TERM
    return $status
}

end_interrupted() {
    { kill -TERM -$child || kill -TERM $child; wait $child; } 2>/dev/null || :
    echo "make: interrupted" >&2
    exit 130
}
