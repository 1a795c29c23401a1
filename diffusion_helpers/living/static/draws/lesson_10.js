// What draws in workshop 10; see draws.js.

export const LESSON_10 = {};
