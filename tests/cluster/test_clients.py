"""Clients by an address: what is refused, certificates, and clusters that other users of the machine cannot use."""

import glob
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import stranger

from fastw2v.cluster import clients as module
from fastw2v.cluster.clients import connected
from fastw2v.errors import InputError, MissingExtra

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")
dask = pytest.importorskip("dask")

TLS = "DASK_DISTRIBUTED__COMM__TLS__"
as_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to be another user")


def test_addresses(monkeypatch):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1.0)
    for wrong in ("", "host", "http://", "tcp://:8786"):
        with (
            pytest.raises(InputError, match="a scheduler's address, such as tcp://host:8786"),
            connected(wrong),
        ):
            pass
    for wrong in ("http://localhost:8787", "foo://host:1"):
        with pytest.raises(InputError, match="address begins with one of .*tcp, .*, followed by ://"), connected(wrong):
            pass
    for wrong in ("local:0", "local:x", "local"):
        with pytest.raises(InputError, match="local:4"), connected(wrong):
            pass
    message = "1,000,000 workers need about 200,000.0 GB of memory, without a model, .*: start at most local:"
    with pytest.raises(InputError, match=message), connected("local:1000000"):
        pass


@pytest.mark.parametrize(
    ("where", "what"), [(socket, "a loopback device"), (multiprocessing, r"shared locks \(a writable /dev/shm\)")]
)
def test_a_machine_whose_processes_cannot_work_together(monkeypatch, where, what):
    def fail(*arguments):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(where, "create_server" if where is socket else "Lock", fail)
    message = f"dask is 'local:2': its processes need {what}: Read-only file system; train without --dask, in one"
    with pytest.raises(InputError, match=message), connected("local:2"):
        pass


@pytest.mark.parametrize(
    ("package", "command"), [("distributed", r"'fastw2v\[dask\]'"), ("cryptography", "'cryptography'")]
)
def test_missing_packages(package, command, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=f"pip install {command}$"), connected("local:2"):
        pass


def test_a_configuration_that_dask_cannot_read(tmp_path):
    (tmp_path / "broken.yaml").write_text("a: [b\n")
    code = "from fastw2v.cluster.clients import connected\nwith connected('local:2'): pass"
    environment = os.environ | {"DASK_CONFIG": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True, check=False)
    assert "InputError: Dask cannot be loaded, perhaps because of its configuration files: ValueError:" in done.stderr


def test_an_address_that_needs_certificates(tmp_path):
    with pytest.raises(InputError, match=r"set distributed\.comm\.tls\.ca-file, .*"), connected("tls://127.0.0.1:1"):
        pass
    missing = str(tmp_path / "cert.pem")
    files = {"ca-file": missing, "client.cert": missing}
    configured = dask.config.set({f"distributed.comm.tls.{name}": path for name, path in files.items()})
    message = r"files that .*ca-file.* cannot be read: .*No such file"
    with configured, pytest.raises(InputError, match=message), connected("tls://127.0.0.1:1"):
        pass


def test_a_scheduler_that_hangs():
    """It takes connections and never answers: that is told, and not waited for for ever."""
    told = []
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        message = f"^the Dask scheduler at {address} has not answered for 2 s: it hangs, or"
        with pytest.raises(InputError, match=message), connected(address, None, 2.0, told.append):
            pass
    [warning] = told
    assert warning.endswith("has not answered for 1 s: the run ends after 2 s (--worker-timeout)")


@pytest.mark.cluster
def test_no_scheduler_at_an_address(monkeypatch):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1.0)
    message = r"cannot connect to a Dask scheduler at tcp://127.0.0.1:1\b.*dask scheduler"
    with pytest.raises(InputError, match=message), connected("tcp://127.0.0.1:1"):
        pass


@pytest.mark.cluster
def test_a_cluster_with_certificates(text, tmp_path, monkeypatch):
    """They come from Dask's configuration, as each command reads it from the environment."""
    security = distributed.Security.temporary()
    (tmp_path / "cert.pem").write_text(security.tls_ca_file)
    (tmp_path / "key.pem").write_text(security.tls_client_key)
    monkeypatch.setenv(f"{TLS}CA_FILE", str(tmp_path / "cert.pem"))
    for role in ("CLIENT", "SCHEDULER", "WORKER"):
        monkeypatch.setenv(f"{TLS}{role}__CERT", str(tmp_path / "cert.pem"))
        monkeypatch.setenv(f"{TLS}{role}__KEY", str(tmp_path / "key.pem"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tls://127.0.0.1:{free.getsockname()[1]}"
    commands = (
        ["dask", "scheduler", "--host", address, "--dashboard-address", "127.0.0.1:0"],
        ["dask", "worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path)],
    )
    with open(tmp_path / "log", "w") as log:
        started = [subprocess.Popen([sys.executable, "-m", *one], stdout=log, stderr=log) for one in commands]
    try:
        output = tmp_path / "v.txt"
        options = ["-o", str(output), "--dask", address, "--dim", "8", "--epochs", "1"]
        subprocess.run([sys.executable, "-m", "fastw2v", "train", str(text), *options], check=True)
        assert output.stat().st_size > 0
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.cluster
def test_workers_of_this_machine(local):
    """They have the threads that were asked for, and leave Ctrl-C to this process."""
    assert list(local.nthreads().values()) == [1, 1]
    limits = local.run(lambda dask_worker: dask_worker.memory_manager.memory_limit)
    assert not any(limits.values()), "the run has its own estimate"

    def handler():
        import signal

        return signal.getsignal(signal.SIGINT)

    assert set(local.run(handler).values()) == {signal.SIG_IGN}


def listening_ports(client):
    """Those of this process, which the scheduler and the nannies belong to, and of the workers."""
    processes = [os.getpid(), *client.run(os.getpid).values()]
    files = [name for process in processes for name in glob.glob(f"/proc/{process}/fd/*")]
    sockets = {os.readlink(name) for name in files if os.path.islink(name)}
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in tables.splitlines()]
    return [row[1].rpartition(":")[2] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets]


def attacked_by_a_stranger(client, directory):
    """The number of ports, of those through which code ran, and {port: pages that are served}."""
    ports = [str(int(port, 16)) for port in listening_ports(client)]
    directory.mkdir(mode=0o700)  # what is written here was written by this user
    command = [sys.executable, stranger.__file__, str(directory), *ports]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return len(ports), len(list(directory.iterdir())), json.loads(done.stdout)


@as_root
@pytest.mark.cluster
def test_a_stranger_can_use_an_open_cluster(tmp_path):
    """The attack of the next test finds what there is to find: a scheduler, a worker, its nanny and their pages."""
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        _, n_open, pages = attacked_by_a_stranger(client, tmp_path / "proofs")
    assert n_open == 3
    assert len(pages) == 2


@as_root
@pytest.mark.cluster
def test_a_stranger_cannot_use_a_cluster_of_this_machine(tmp_path, capfd):
    with connected("local:1", threads=1) as client:
        n_ports, n_open, pages = attacked_by_a_stranger(client, tmp_path / "proofs")
        assert n_ports >= 5, "of scheduler, nanny and worker, and two of HTTP"
        assert (n_open, pages) == (0, {})
        assert client.submit(abs, -1).result() == 1, "goes on as if nothing had been"
    assert capfd.readouterr().err == ""


@pytest.mark.cluster
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_a_closed_terminal_leaves_the_process_that_cleans_up():
    code = """
import os, signal, time
from multiprocessing import resource_tracker
from fastw2v.cluster.clients import _start_resource_tracker
signal.signal(signal.SIGHUP, signal.SIG_DFL)
_start_resource_tracker()
os.kill(resource_tracker._resource_tracker._pid, signal.SIGHUP)
time.sleep(0.5)
assert resource_tracker._resource_tracker._check_alive()
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()), "here the signal is as before"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_of_a_cluster_of_this_machine(tmp_path):
    """They lie in a directory of the user's own, below the one that Dask's configuration names, and go with it."""
    parent = tmp_path / "scratch"
    with dask.config.set({"temporary-directory": str(parent)}), connected("local:1", threads=1) as client:
        [private] = parent.iterdir()
        assert private.stat().st_mode & 0o077 == 0
        used = [client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.local_directory)]
        for nanny in (False, True):
            used += client.run(lambda dask_worker: dask_worker.local_directory, nanny=nanny).values()
        assert len(used) == 3
        assert all(private in Path(directory).parents for directory in used), used
    assert list(parent.iterdir()) == []


@pytest.mark.cluster
def test_processes_of_a_cluster_import_nothing_from_the_working_directory(tmp_path):
    """It may be open to other users. Python would look for `socket` there first."""
    (tmp_path / "socket.py").write_text("import os; os._exit(9)")
    code = "from fastw2v.cluster.clients import connected\nwith connected('local:1', 1) as client: client.nthreads()"
    command = [sys.executable, "-P", "-c", code]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
