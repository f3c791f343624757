import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sharedCluster } from '../../support/cluster.js';
import { Consumer, type COMPILERS, type Packages } from './consumer.js';
import { PackedPackage } from './packed.js';

export interface Variant {
  readonly title: string;
  readonly packages: Packages;
  readonly compilers: readonly (keyof typeof COMPILERS)[];
}

/** One file of tests for each version of Nest, so that two of them run at the same time. */
export function describeConsumers(variants: readonly Variant[]): void {
  let packed: PackedPackage | undefined;
  let environment: NodeJS.ProcessEnv;

  beforeAll(async () => {
    packed = await PackedPackage.make();
    const nodes = await sharedCluster();
    environment = { TEST_CLUSTER_NODES: JSON.stringify(nodes) };
  });

  afterAll(() => packed?.remove());

  describe.each(variants)('K8 $title', ({ packages, compilers }) => {
    let consumer: Consumer;
    beforeAll(async () => {
      consumer = await Consumer.install(packed!, packages);
    });

    it.each(compilers)('moduleResolution %s → the application compiles', async (compiler) => {
      await expect(consumer.compile(compiler)).resolves.toBeUndefined();
    });

    it.each([
      ['an ES module', 'mjs'],
      ['CommonJS', 'cjs'],
    ])('%s → starts, works on every topology, and ends', async (_, ending) => {
      await consumer.run(`app.${ending}`, environment);
      await expect(consumer.run(`testing.${ending}`, environment)).resolves.toBeUndefined();
    });
  });
}
