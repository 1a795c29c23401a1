// What draws in workshop 09; see draws.js.

export const LESSON_09 = {};
