# shellcheck shell=bash
# The short demo, a part of demo.sh: a web application behind a virtual address.

say "A cluster: node1, node2, a client, two networks"
bring_up

say "The module \"mirror\": a web application on 10.77.1.100, on whichever node is primary"
install_pair mirror scripts/demo/module

say "A client asks every 20 ms"
begin=$(now)
"$bin" sandbox exec --name demo client -- python3 scripts/demo/client.py ask "$work/seen" &
client=$!
until [ -s "$work/seen" ]; do kill -0 "$client"; done
python3 scripts/demo/client.py wait "$work/seen" "$begin"
echo "it is answered by $(tail -n 1 "$work/seen" | cut -d' ' -f2)"

say "Power failure of node1, the primary"
off=$(now)
sandbox poweroff node1
on node2 safekit waitstate ALONE -m mirror
python3 scripts/demo/client.py wait "$work/seen" "$off"
on node2 safekit log -A -m mirror | python3 scripts/demo/client.py show "$work/seen" "$off"

say "node1 gets its power back: it becomes the secondary, nothing is interrupted"
sandbox poweron node1
answers node1
on node1 safekit waitstate SECOND -m mirror
on node2 safekit waitstate PRIM -m mirror
states

say "Back to node1, by a swap"
swap=$(now)
on node2 safekit swap -m mirror
on node1 safekit waitstate PRIM -m mirror
on node2 safekit waitstate SECOND -m mirror
python3 scripts/demo/client.py wait "$work/seen" "$swap"
on node1 safekit log -A -m mirror | python3 scripts/demo/client.py show "$work/seen" "$swap"
look=(
    "exec --name demo client -- curl -s http://10.77.1.100:8080"
)
