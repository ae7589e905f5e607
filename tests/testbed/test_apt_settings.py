"""The Debian mirror of this machine, from both formats of apt's sources."""

from qvtestbed import apt_settings


def test_mirror_from_both_formats(tmp_path):
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "other.sources").write_text(
        "Types: deb\nURIs: http://a.example/\nSuites: nodistro\nComponents: main\n"
    )
    assert apt_settings.find_debian_mirror(tmp_path) == []
    (folder / "debian.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://m.example/debian\n"
        "Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k\n"
    )
    assert apt_settings.find_debian_mirror(tmp_path) == ["http://m.example/debian"]
    (tmp_path / "sources.list").write_text(
        "# deb http://no.example bookworm main\n"
        "deb [signed-by=/k arch=amd64] http://one.example/debian bookworm contrib main\n"
    )
    assert apt_settings.find_debian_mirror(tmp_path) == ["http://one.example/debian"]
