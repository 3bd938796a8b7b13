/* The btc program: see cli.h. */
#include "cli/cli.h"

/* Runs the command line on the standard streams. */
int main(int argc, char **argv)
{
    return cli_main(argc, argv, stdout, stderr);
}
