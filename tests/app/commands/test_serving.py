from tests.forked import digress


def test_a_host_that_is_none_is_named() -> None:
    done = digress("serve", DIGRESS_HOST="no such host")

    assert done.returncode == 1
    assert "cannot listen on no such host:8000" in done.stderr
    assert "DIGRESS_HOST" in done.stderr
    assert "Traceback" not in done.stderr
