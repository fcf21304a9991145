/** What users write on the command line: values, and options that commands share. */
@NullMarked
package dev.r3map.cli.args;

import org.jspecify.annotations.NullMarked;
