# By a step's log, how many lines it had when this run began and when the steps were told to stop: an earlier run of
# the job wrote to the same log, and what follows the end is no cause.
declare -A log_lines=()
# count_lines before|until
count_lines() {
  local log
  for log in "$logs"/*_"$job_id".*out; do
    [[ ! -f $log || -L $log ]] || log_lines[$1$log]=$(wc -l <"$log")
  done
}
# show_cause LOG: the lines of a log that look like the cause of its end, then the last ones. What a server writes is
# hostile: it is read in bounded memory, and shown in part, without control characters.
show_cause() {
  echo "what may be the cause, in $1:"
  {
    LC_ALL=C cut -b -4000 -- "$1" | LC_ALL=C grep -naE \
      'rror|ERROR|Exception|CRITICAL|FATAL|[Ff]atal|[Ff]ault|[Ff]ail|FAIL|Killed|oom|OOM|[Oo]ut [Oo]f|CUDA|NCCL|nccl|enied|[Qq]uota|No such|ot found|dumped|Abort|ABORT|already in use|annot|ould not|nable to|exited|what\(\)|\[E\]|Illegal|terminate called' |
      LC_ALL=C grep -av '^[0-9]*:.\{0,40\}\(INFO\|DEBUG\)[ :]' | head -n 50000
    printf '\n'
    # What follows a progress bar stands in its line.
    tail -c 65536 -- "$1" | tr '\r' '\n' | grep -a . | tail -n 20 | LC_ALL=C cut -b -4000
  } 2>/dev/null | LC_ALL=C awk -v before="${log_lines[before$1]:-0}" -v until="${log_lines[until$1]:-1e15}" '
    # The line without colours, control characters and what a progress bar wrote before it.
    function clean(line) {
      sub(/\r+$/, "", line); sub(/^.*\r/, "", line); gsub(/\033\[[0-9;?]*[A-Za-z]/, "", line)
      gsub(/\t/, " ", line); gsub(/[\200-\377]+/, "?", line); gsub(/[^ -~]/, "", line)
      return line
    }
    # Takes from $text what loggers put before a message, and from that its $level, E, W or I.
    function take_prefix(   rounds, prefix) {
      text = line
      while (rounds++ < 12 && sub(/^(\[[^][]*\](<[a-z]+>)?:? ?|\([^()]*pid=[0-9]+[^()]*\) ?|(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)(: *| |$)|[EWIF][0-9]+ [0-9:.]+ +[0-9]+ [^ ]+\] |[0-9][0-9.,:TZ+\/-]*:? |[A-Za-z0-9_.\/-]+:[0-9]+\] ?|[A-Za-z0-9_.-]+:[0-9]+:[0-9]+ |([A-Za-z_.]+ )?- |\{"timestamp": "[^"]*", "level": "[A-Z]+", ("message": ")?)/, "", text)) ;
      prefix = substr(line, 1, length(line) - length(text))
      level = prefix ~ /ERROR|CRITICAL|FATAL|\[[EF]\]|(^|\[)[EF][0-9]/ ? "E" : prefix ~ /WARN|\[W\]|(^|\[)W[0-9]/ ? "W" : ""
      if (level == "" && prefix ~ /INFO|DEBUG|TRACE|NOTICE|\[[IVD]\]|(^|\[)I[0-9]/) level = "I"
    }
    # Keeps the line; what differs only in numbers is the same again.
    function keep(kind,   key) {
      key = kind substr(text, 1, 200)
      gsub(/[0-9]+/, "0", key)
      if (!times[key]++) {
        keys[kind, ++kept[kind]] = key
        lines[key] = number ": " substr(line, 1, 400)
      }
    }
    $0 == "" && !at_end { at_end = 1; next }
    at_end { last[++count] = substr(clean($0), 1, 400); next }
    $0 + 0 <= before || $0 + 0 > until + 0 { next }
    {
      number = $0 + 0
      sub(/^[0-9]+:/, "")
      line = clean($0)
      take_prefix()
      # Neither what is no failure, nor the inside of a traceback.
      if (level == "I" || line ~ /\[dump_input\.py/ || text ~ /^$|^[ ^~]/ && text !~ /^ *(what\(\): |Value error, )/) next
      # Kinds: 1 a cause, 2 may be one, 3 what only follows from a cause.
      if (line ~ /[Ee]ngine ?[Cc]ore.*exited unexpectedly/) keep(1)
      else if (line ~ /[Ee]ngine core init|[Ee]ngine process failed|EngineDead|initialization failed due to|failed to start|died unexpected|sigquit|[Ww]orker (returned error|died)|MPI_A[Bb]|root cause|Exited with|Terminated|KeyboardInterrupt|SystemExit|Cancelled|CANCELLED|BrokenPipe|ConnectionReset|EOFError|handler failed|leaked |[0-9] validation error/) keep(3)
      else if (text ~ /^([A-Za-z_][A-Za-z0-9_.]*)?([Ee]rror|Exception|OutOfResources)(:|$)|^ +Value error, /) keep(1)
      else if (line ~ /[Oo]ut [Oo]f [Mm]emory|OutOfMemory|oom.kill|OOM.[Kk]ill|CUDA (driver|error|failure)|CUDA_ERROR|[Cc]uda (error|failure)|NCCL (error|WARN)|nccl[A-Z][A-Za-z]*Error|ddress already in use|[Nn]o space left|[Qq]uota exceeded|[Ss]egmentation fault|Bus error|Illegal instruction|core dumped|(^|[ :])Killed|terminate called|[Aa]ssertion.*failed|what\(\): |Error Code [0-9]|nvidia-container-cli|find a profile|match a profile/) keep(level == "W" ? 2 : 1)
      else if (level == "W") next
      else if (level == "E" || line ~ /(^|[^A-Za-z0-9_"=.-])([Ee]rror|ERROR|FATAL|[Ff]atal): |: (error|failed) |[Pp]ermission denied|No such file|command not found|cannot open shared/ || text ~ /^([Ee]rror|ERROR|[Ff]atal|FATAL|[Ff]ailed|FAILED|[Cc]annot|[Cc]ould not|[Uu]nable|Aborted)([: ]|$)/) keep(2)
    }
    END {
      for (kind = 1; kind < 4 && !kept[kind]; ) kind++
      # The first five and the last three.
      for (i = 1; i <= kept[kind]; i++) {
        key = keys[kind, i]
        if (i <= 5 || i > kept[kind] - 3) print "  | line " lines[key] (times[key] > 1 ? " (" times[key] " times)" : "")
      }
      if (!kept[kind]) print "  | no line looks like it"
      print "  the last lines of it:"
      i = kept[kind] && count > 8 ? count - 7 : 1
      for (; i <= count; i++) print "  | " last[i]
    }' || true
}
