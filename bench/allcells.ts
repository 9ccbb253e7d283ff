/** Prints the whole table of bench/cells.ts. */
import { printCells } from "./cells.js";
import { ALL_CELLS, ALL_SECONDS } from "./schedule/cells.js";

printCells(ALL_CELLS, ALL_SECONDS);
