# kaizen-host.fish - completes command lines of kaizen-host in fish.
#
# SPDX-License-Identifier: Apache-2.0
#
# Installed in a folder of $fish_complete_path.  What can come next is asked of the program
# (kaizen-host complete).

function __kaizen_host_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l last (commandline -ct)
    set -l value (string replace -r -- '^--[^=]*=' '' $last)
    set -l prefix (string replace -r -- '^(--[^=]*=|).*$' '$1' $last)
    for candidate in (kaizen-host complete -- $words "$last" 2>/dev/null)
        switch $candidate
            case :files
                __kaizen_host_prefixed "$prefix" (__fish_complete_path "$value")
            case :folders
                __kaizen_host_prefixed "$prefix" (__fish_complete_directories "$value" '')
            case :command
                # What stands behind "--" is a command line of its own.
                set -l at (contains -i -- -- $words)
                set -l own $words
                set -e own[1..$at]
                complete -C (string join ' ' -- (string escape -- $own) "$last")
            case '*'
                echo $candidate
        end
    end
end

function __kaizen_host_prefixed --argument-names prefix
    for candidate in $argv[2..]
        echo -- "$prefix$candidate"
    end
end

complete -c kaizen-host -f -a '(__kaizen_host_complete)'
