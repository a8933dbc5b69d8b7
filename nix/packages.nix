# The three programs. Their dependencies are built once, together.
{ pkgs, craneLib }:
let
  inherit (pkgs) lib;

  # Sources, and the other files that are compiled in or read by a build script.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      (craneLib.fileset.commonCargoSources ../.)
      ../.cargo
      ../config
      ../gui-client/fonts
      ../gui-client/transcripts
      (lib.fileset.fileFilter (file: file.hasExt "proto" || file.hasExt "sql") ../.)
      ../xtask/src/warden.sh
    ];
  };

  common = {
    inherit src;
    pname = "agentic-ide";
    version = (lib.importTOML ../Cargo.toml).workspace.package.version;
    strictDeps = true;
    # The tests start programs and displays; CI runs them, not the sandbox.
    doCheck = false;
    # The wrapper lets one crate build on older compilers; a shell is all it needs.
    preBuild = "patchShebangs .cargo";
  };

  cargoArtifacts = craneLib.buildDepsOnly (common // { pname = "agentic-ide-deps"; });

  program =
    package: attrs:
    craneLib.buildPackage (
      common
      // {
        inherit cargoArtifacts;
        cargoExtraArgs = "--locked --package ${package}";
        meta = {
          description = attrs.description;
          license = lib.licenses.asl20;
          mainProgram = attrs.binary;
          platforms = lib.platforms.linux;
        };
      }
      // lib.optionalAttrs (attrs ? wrap) {
        nativeBuildInputs = [ pkgs.makeWrapper ];
        postFixup = "wrapProgram $out/bin/${attrs.binary} ${attrs.wrap}";
      }
      // {
        pname = attrs.binary;
      }
    );

  # The window opens these when it runs; nothing but libc is linked.
  windowLibraries = [
    pkgs.libxkbcommon
    pkgs.wayland
    pkgs.vulkan-loader
    pkgs.libGL
    pkgs.xorg.libX11
    pkgs.xorg.libXcursor
    pkgs.xorg.libXi
    pkgs.xorg.libxcb
  ];
in
{
  backend = program "agent-backend" {
    binary = "agentic-ide-backend";
    description = "Runs workflows that turn a request into a reviewed commit";
    wrap = "--prefix PATH : ${
      lib.makeBinPath [
        pkgs.git
        pkgs.bubblewrap
      ]
    }";
  };

  gui = program "gui-client" {
    binary = "agentic-ide-gui";
    description = "The desktop window of Agentic IDE";
    wrap = "--prefix LD_LIBRARY_PATH : ${lib.makeLibraryPath windowLibraries}";
  };

  vectordb = program "vectordb-launcher" {
    binary = "agentic-ide-vectordb";
    description = "Starts and watches the vector database, or serves its API from the embedded engine";
  };

  inherit windowLibraries;
}
