# ---- Data sets ----------------------------------------------------------------------------
# $data_sets_program brings each once into the form that the tool reads, a prompt a line, and says how many it has, and how many
# words are as long as its prompts. A point takes those behind the ones of the points before it, from the beginning again after
# the last one.

command -v python3 >/dev/null ||
  end_with client_lacks "missing in the client's container: python3, with which data sets are read (PATH there is $PATH)"
data_counts=()
# By use case, how many words the warm-up's prompts have.
words_of=()
for number in "${!data_sets[@]}"; do
  read -r format needed file <<<"${data_sets[number]}"
  said=$(python3 -I -c "$data_sets_program" "$format" "$data_sets_key" "$data_sets_folder/$number" \
    "$run/data.$replica.$number" "$point_timeout" 2>&1) || {
    stop_if_full && LC_ALL=C && end_with data_lacks "missing: a data set of the form \"${format%-t*}\" in $file: ${said//[^ -~]/?}"
  }
  read -r said words seconds tokens <<<"$said"
  whose='a point' what=prompts each=request
  [[ $format != *-t* ]] || what='conversations of enough turns' each=conversation
  [[ $prefix_cache != on ]] || whose='all points of a server, which may keep what it has seen'
  ((said >= needed)) ||
    end_with data_lacks "missing: $what in the data set $file: it has $said that differ, and $needed are needed, one for" \
      "each $each of $whose; take a larger file, or send fewer requests"
  data_counts+=("$said")
  # Of a trace it also says for how many seconds requests are sent, and how long the answers are on average, which is no one length.
  for place in "${!points[@]}"; do
    read -r use_case _ _ _ _ _ _ _ command _ <<<"${points[place]}"
    own_command "$command"
    [[ " ${REPLIES[*]} " != *" {data}.$number.jsonl "* ]] || words_of[$use_case]=$words
    [[ ${points[place]} != *" @$number" ]] || points[place]=${points[place]/ data data / data ${tokens}s0 }
    points[place]=${points[place]/% @$number/ $seconds}
  done
done
# take_prompts COUNT BEFORE: in $facts[data].N.jsonl, what a point has of the data set N that its command, in $REPLIES, reads.
take_prompts() {
  local number
  for number in "${!data_counts[@]}"; do
    [[ " ${REPLIES[*]} " == *" {data}.$number.jsonl "* ]] || continue
    awk -v count="$1" -v before="$2" -v all="${data_counts[number]}" '(NR - 1 - before % all + all) % all < count' \
      "$run/data.$replica.$number" >"${facts[data]}.$number.jsonl" || { stop_if_full && exit 1; }
    # They stay as they are: see "The gate".
    REPLIES=("${REPLIES[@]//\{prompts\}/$1}") facts[prompts]=
  done
}
