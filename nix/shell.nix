# Everything that building, testing and the demo need. The toolchain comes from
# rustup, so that it is the one that rust-toolchain.toml names.
{ pkgs, ours }:
pkgs.mkShell {
  packages = [
    pkgs.rustup
    pkgs.gcc
    pkgs.git
    pkgs.python3
    pkgs.nodejs
    pkgs.postgresql
    pkgs.bubblewrap
    pkgs.cargo-deny
    pkgs.dbus
    pkgs.imagemagick
    pkgs.xdotool
    pkgs.xorg.xauth
    pkgs.xorg.xorgserver
  ];
  LD_LIBRARY_PATH = pkgs.lib.makeLibraryPath ours.windowLibraries;
}
