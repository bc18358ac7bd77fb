"""`python -m cgmgm_seis` is the command `cgmgm-seis`."""

from cgmgm_seis_cli.main import main

if __name__ == "__main__":
    main(prog_name="cgmgm-seis")
