"""The CPU limit of a server: quota, else CPUs, else the host's."""

from pipeline.measure.cpu_limit import CpuLimit, cpu_limit
from pipeline.raw import Run, Study


def test_the_envelope_is_the_quota_else_the_cpus_else_the_hosts(tmp_path):
    run = Run("s", "first", "r", tmp_path, {})

    def study(envelope):
        return Study("s", tmp_path, {"servers": {"first": {"envelope": envelope}}})

    assert cpu_limit(study({"cpus": [0, 1], "cpu_quota": 0.5}), run) == CpuLimit(0.5, 0.5)
    assert cpu_limit(study({"cpus": [0, 1]}), run) == CpuLimit(2.0)
    assert cpu_limit(None, run) == CpuLimit(1.0, is_assumed=True)
