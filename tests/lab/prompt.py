# SPDX-License-Identifier: Apache-2.0
"""The prompt of ./dev demo and ./dev lab: a few words that run things in the right namespace."""
import shlex
import subprocess

import process

HELP = """
things to try (each runs in the right namespace; names resolve to the Gateway's address):
  curl -i http://foo.example.com/                a request; also -H 'env: canary', /login, --http1.0, -T FILE, ...
  wrk -c 8 -d 5 http://foo.example.com/          a load
  ping / ping6 ADDRESS                           the appliance answers itself
  sluicectl get httproute -A                     the API's command line; apply -f FILE, explain GET URL, stats, ...
  sluicectl get gateway foo-gateway -n gateway-api-example-ns1 -o yaml
  kill mgmtd | dataplane                         as a crash would;  start mgmtd | dataplane
  in NAMESPACE COMMAND                           anything, in client, admin, appliance, switch, backend-1, backend-2
  help, quit
"""


def resolved(words, vip):
    """curl with every name leading to the Gateway; wrk has no such option and gets the address and a Host header."""
    if words[0] == "curl" and vip:
        return [words[0], "--resolve", f"*:80:{vip}", *words[1:]]
    if words[0] == "wrk" and vip:
        out = []
        for w in words:
            scheme, there, rest = w.partition("://")
            if there:
                host, slash, path = rest.partition("/")
                out += ["-H", f"Host: {host}", f"{scheme}://{vip}:80{slash or '/'}{path}"]
            else:
                out.append(w)
        return out
    return words


def sluicectl(l, arguments):
    """With the lab's server, token and CA."""
    done = l.appliance.ctl(*arguments, check=False)
    print(done.stdout + done.stderr, end="")


def kill_or_start(l, verb, which):
    box = l.appliance
    if which not in ("mgmtd", "dataplane"):
        print("mgmtd or dataplane?")
    elif verb == "kill":
        getattr(box, which).kill()
    elif getattr(box, which).is_running():
        print(f"{which} runs")
    else:
        getattr(box, f"start_{which}")()


def obey(l, words, vip):
    """One line of the prompt."""
    if words[0] in ("curl", "wrk", "ping", "ping6"):
        subprocess.run(l["client"].argv(*resolved(words, vip)), check=False)
        print()
    elif words[0] == "sluicectl":
        sluicectl(l, words[1:])
    elif words[0] in ("kill", "start") and len(words) == 2:
        kill_or_start(l, *words)
    elif words[0] == "in" and len(words) > 2 and words[1] in l.namespaces:
        subprocess.run(l[words[1]].argv(*words[2:]), check=False)
    else:
        print(HELP)


def stay(l, vip=None):
    """Obeys until quit, the end of the input or Ctrl-C."""
    print(HELP)
    while True:
        try:
            words = shlex.split(input("sluice> "))
        except EOFError:
            return
        except ValueError as e:
            print(e)
            continue
        if words[:1] in (["quit"], ["exit"]):
            return
        if words:
            try:
                obey(l, words, vip)
            except (OSError, process.Failed, subprocess.SubprocessError) as e:
                print(e)
