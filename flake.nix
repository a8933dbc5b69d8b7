{
  description = "Agentic IDE: from a request in plain words to a reviewed commit";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixpkgs-unstable";
    crane.url = "github:ipetkov/crane";
    treefmt-nix = {
      url = "github:numtide/treefmt-nix";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      crane,
      treefmt-nix,
    }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAll =
        make:
        nixpkgs.lib.genAttrs systems (
          system:
          let
            pkgs = nixpkgs.legacyPackages.${system};
          in
          make {
            inherit pkgs;
            ours = import ./nix/packages.nix {
              inherit pkgs;
              craneLib = crane.mkLib pkgs;
            };
          }
        );
      formatter = pkgs: (treefmt-nix.lib.evalModule pkgs ./nix/treefmt.nix).config.build;
    in
    {
      packages = forAll (
        { ours, ... }:
        {
          inherit (ours) backend gui vectordb;
          default = ours.backend;
        }
      );

      devShells = forAll (
        { pkgs, ours }:
        {
          default = import ./nix/shell.nix { inherit pkgs ours; };
        }
      );

      formatter = forAll ({ pkgs, ... }: (formatter pkgs).wrapper);

      checks = forAll (
        { pkgs, ours }:
        {
          inherit (ours) backend gui vectordb;
          formatting = (formatter pkgs).check self;
        }
      );
    };
}
