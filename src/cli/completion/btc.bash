# Completion of btc for bash. The options of each command are those of
# `btc help COMMAND`; a test compares them.

# The options of a command.
_btc_options() {
    case $1 in
    get) echo "--db --allow-network-db --config --dir --out --select --exclude --sequential --seed
        --label --down --up --port --bind --peer --max-peers --no-dht --no-pex
        --no-lsd --dht-bootstrap --allow-local --verify --accept-loss --overwrite --journal-interval --cache
        --min-free --alloc --max-time --stall-timeout --on-done --on-error --save-torrent --json --ndjson
        --progress --dry-run --quiet --verbose --help" ;;
    resume) echo "--db --allow-network-db --config --seed --down --up --port --bind --peer --max-peers --no-dht
        --no-pex --no-lsd --dht-bootstrap --allow-local --verify --accept-loss --overwrite --journal-interval
        --cache --min-free --max-time --stall-timeout --on-done --on-error --json
        --ndjson --progress --quiet --verbose --help" ;;
    daemon) echo "--db --allow-network-db --config --seed --down --up --port --bind --max-peers --no-dht
        --no-pex --no-lsd --dht-bootstrap --allow-local --verify --accept-loss --journal-interval --cache
        --min-free --on-done --on-error --ndjson --progress --quiet --verbose
        --help" ;;
    status) echo "--db --allow-network-db --config --watch --json --ndjson --quiet --verbose --help" ;;
    files) echo "--db --allow-network-db --config --json --ndjson --quiet --verbose --help" ;;
    peers) echo "--db --allow-network-db --config --json --ndjson --quiet --verbose --help" ;;
    trackers) echo "--db --allow-network-db --config --json --ndjson --quiet --verbose --help" ;;
    pieces) echo "--db --allow-network-db --config --json --ndjson --quiet --verbose --help" ;;
    log) echo "--db --allow-network-db --config --limit --json --ndjson --quiet --verbose --help" ;;
    why) echo "--db --allow-network-db --config --json --quiet --verbose --help" ;;
    add) echo "--db --allow-network-db --config --dir --out --select --exclude --sequential --seed
        --label --paused --down --up --bind --peer --max-peers --accept-loss --overwrite --alloc
        --save-torrent --json --dry-run --quiet --verbose --help" ;;
    start) echo "--db --allow-network-db --config --json --quiet --verbose --help" ;;
    pause) echo "--db --allow-network-db --config --json --quiet --verbose --help" ;;
    rm) echo "--db --allow-network-db --config --data --json --dry-run --yes --quiet --verbose --help" ;;
    move) echo "--db --allow-network-db --config --here --json --quiet --verbose --help" ;;
    set) echo "--db --allow-network-db --config --json --quiet --verbose --help" ;;
    info) echo "--db --allow-network-db --config --port --bind --peer --max-peers --no-dht --no-pex
        --no-lsd --dht-bootstrap --allow-local --max-time --fetch --save-torrent --json --progress
        --quiet --verbose --help" ;;
    create) echo "--config --out --tracker --web-seed --piece-length --private --comment
        --force --json --progress --quiet --verbose --help" ;;
    verify) echo "--db --allow-network-db --config --bind --dir --out --select --exclude --max-time --full --older-than --json --ndjson --progress
        --quiet --verbose --help" ;;
    db) echo "--db --allow-network-db --config --repair --json --ndjson --quiet --verbose --help" ;;
    help) echo "--help" ;;
    version) echo "--json --help" ;;
    esac
}

# Words that an option's value may be; 1 = none are known.
_btc_values() {
    case $1 in
    --verify) echo "auto full none" ;;
    --progress) echo "auto bar plain json none" ;;
    --alloc) echo "sparse full" ;;
    --seed) echo "none forever ratio: time:" ;;
    --bind) ls /sys/class/net 2>/dev/null ;;
    --out | --select | --exclude | --label | --down | --up | --port | \
        --peer | --max-peers | --journal-interval | --cache | --min-free | \
        --max-time | --stall-timeout | --on-done | --on-error | \
        --older-than | --limit | --tracker | --web-seed | --piece-length | \
        --comment) ;;
    *) return 1 ;;
    esac
}

# The torrents' ids.
_btc_ids() {
    btc status --ndjson 2>/dev/null | tr '{' '\n' |
        sed -n 's/^"id":\([0-9]*\),.*/\1/p'
}

# What `btc set` can set; the numbers of priority.N are not known here.
_btc_keys() {
    btc set 2>/dev/null | sed -n 's/^  \([a-z-]*\) .*/\1=/p'
}

# Files, or folders alone.
_btc_files() {
    local IFS=$'\n'
    compopt -o filenames
    COMPREPLY=($(compgen "$@" -- "$cur"))
}

_btc() {
    local cur prev words cword commands command="" i
    commands="get resume daemon status files peers trackers pieces log why add start
        pause rm move set info create verify db help version"
    COMPREPLY=()
    _get_comp_words_by_ref -n =: cur prev words cword 2>/dev/null || {
        cur=${COMP_WORDS[COMP_CWORD]}
        prev=${COMP_WORDS[COMP_CWORD - 1]}
        words=("${COMP_WORDS[@]}")
        cword=$COMP_CWORD
        # Plain bash takes --option=value apart.
        [[ $cur == "=" ]] && cur="" || {
            [[ $prev == "=" ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
        }
    }
    for ((i = 1; i < cword; i++)); do
        if [[ " $commands " == *" ${words[i]} "* ]]; then
            command=${words[i]}
            break
        fi
    done
    if [[ $cur == --*=* ]]; then
        prev=${cur%%=*}
        cur=${cur#*=}
    fi
    case $prev in
    --dir | -d) _btc_files -d; return ;;
    --db | --config | --save-torrent | backup) _btc_files -f; return ;;
    esac
    if [[ $prev == --* ]] && i=$(_btc_values "$prev"); then
        COMPREPLY=($(compgen -W "$i" -- "$cur"))
        [[ ${COMPREPLY[0]-} == *: ]] && compopt -o nospace
        # Readline replaces what stands after the last colon alone.
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
        return
    fi
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$(_btc_options "${command:-get}")" -- "$cur"))
        return
    fi
    case $command in
    "") COMPREPLY=($(compgen -W "$commands" -- "$cur"))
        [[ ${#COMPREPLY[@]} == 0 ]] && _btc_files -f ;;
    get | add | info) _btc_files -f ;;
    create) _btc_files -f ;;
    help) COMPREPLY=($(compgen -W "$commands exit" -- "$cur")) ;;
    db) COMPREPLY=($(compgen -W "check backup restore salvage path schema" -- "$cur")) ;;
    daemon | version) ;;
    move) if [[ $prev == move || $prev == -* ]]; then
            COMPREPLY=($(compgen -W "$(_btc_ids)" -- "$cur"))
        else
            _btc_files -d
        fi ;;
    set) if [[ $prev == set || $prev == -* ]]; then
            COMPREPLY=($(compgen -W "$(_btc_ids)" -- "$cur"))
        elif [[ $cur != *=* ]]; then
            COMPREPLY=($(compgen -W "$(_btc_keys)" -- "$cur"))
            compopt -o nospace
        fi ;;
    *) COMPREPLY=($(compgen -W "$(_btc_ids)" -- "$cur")) ;;
    esac
}

complete -F _btc btc
