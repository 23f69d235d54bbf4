// All rows. A row's contenders each return a function that does the work `count` times, or tells its own time.
import { askRows } from './ask.mjs';
import { cancelRows } from './cancel.mjs';
import { deriveRows } from './derive.mjs';
import { fanOutRows } from './fan-out.mjs';
import { memoryRows } from './memory.mjs';

export const rows = { ...deriveRows, ...cancelRows, ...fanOutRows, ...askRows, ...memoryRows };
