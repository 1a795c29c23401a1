// What draws in lesson 04; see draws.js.

export const LESSON_04 = {};
