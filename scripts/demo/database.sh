# shellcheck shell=bash
# The demo with a database, a part of demo.sh: nothing that PostgreSQL has acknowledged is lost.

address=10.77.1.100
acks=$work/acknowledged
sql="psql -X -qAt -F , -v ON_ERROR_STOP=1 -h $address -U postgres postgres"
transactions() { timeout 120 "$bin" sandbox exec --name demo client -- python3 scripts/demo/transactions.py "$@" -- $sql; }
acknowledged() { wc -l 2>/dev/null <"$acks" || echo 0; }

# Clients that commit without a pause, until the end of commits.
commits() {
    rm -f "$acks.end"
    transactions write "$acks" 2>/dev/null &
    client=$!
}
no_commits() {
    touch "$acks.end"
    wait "$client"
    client=
}
# more N: returns when N more transactions are acknowledged.
more() {
    local until=$(($(acknowledged) + $1))
    timeout 60 bash -c 'until [ "$(wc -l <"$0")" -ge "$1" ]; do sleep 0.05; done' "$acks" "$until"
}
audit() {
    local counts
    counts=$(transactions check "$acks")
    echo "  acknowledged to the clients:  ${counts% *}"
    echo "  found in the database:        ${counts#* }   (more: committed, but the power went before the answer)"
    echo "  acknowledged and lost:        0"
    PGOPTIONS="-c client_min_messages=warning" "$bin" sandbox exec --name demo client -- "$postgres/pg_amcheck" -h $address -U postgres \
        --install-missing --heapallindexed --all
    echo "  every table, index and checksum is in order (pg_amcheck)"
}

say "A cluster: node1, node2, a client, two networks; a power failure takes what a disk has not flushed"
bring_up --private /data --disk lossy

say "The module \"postgresql\": a database on $address, its directory replicated to the other node"
for node in node1 node2; do
    on "$node" mkdir /data/postgresql
done
install_pair postgresql scripts/demo/postgresql
transactions make

say "4 clients commit transactions, and write down outside of the database which ones it acknowledged"
: >"$acks"
begin=$(now)
commits
more 1000
echo "  $(acknowledged) transactions in $(python3 -c "print(f'{$(now) - $begin:.1f}')") s"

say "Power failure of node1, the primary, in the middle of it"
off=$(now)
sandbox poweroff node1
until timeout 60 "$bin" sandbox exec --name demo client -- $sql -c "SELECT 1" >/dev/null 2>&1; do :; done
back=$(now)
no_commits
on node2 safekit waitstate ALONE -m postgresql
on node2 safekit log -A -m postgresql | python3 scripts/demo/client.py log - "$off"
echo "  the database answers again, on node2, after $(python3 -c "print(f'{$back - $off:.2f}')") s"

say "Is everything there that was acknowledged?"
audit

say "node1 gets its power back, while the clients go on: it becomes the secondary again"
commits
more 100
on=$(now)
sandbox poweron node1
answers node1
on node1 safekit waitstate SECOND -m postgresql
on node2 safekit waitstate PRIM -m postgresql
on node1 safekit log -A -m postgresql | python3 scripts/demo/client.py log - "$on"
states
more 100
no_commits

say "Back to node1, by a swap"
swap=$(now)
on node2 safekit swap -m postgresql
on node1 safekit waitstate PRIM -m postgresql
on node2 safekit waitstate SECOND -m postgresql
on node1 safekit log -A -m postgresql | python3 scripts/demo/client.py log - "$swap"

say "And everything that was acknowledged by either node is on node1"
audit
look=(
    "exec --name demo client -- $sql -c 'SELECT * FROM total'"
)
