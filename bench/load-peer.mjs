/** Here, and not where the compiled benchmark is: a package is looked for from the file that imports it. */
export const load = (name) => import(name);
