// OHIF's SEG reader keeps pixels in views of the ndarray library, which makes each kind of view with
// `new Function`: the page would need 'unsafe-eval' for it. The build puts this function in its place.
// It answers what the SEG reader asks of a view: data, shape, stride, offset, size, index, get and set.

export default function makeViews(dtype, dimension) {
  class View {
    constructor(data, shape, stride, offset) {
      this.data = data;
      this.shape = shape.slice(0, dimension);
      this.stride = stride.slice(0, dimension);
      this.offset = offset | 0;
    }

    get size() {
      return this.shape.reduce((product, extent) => product * extent, 1);
    }

    index(...at) {
      return this.stride.reduce((sum, step, axis) => sum + step * at[axis], this.offset);
    }

    get(...at) {
      return this.data[this.index(...at)];
    }

    set(...at) {
      return (this.data[this.index(...at)] = at[dimension]);
    }
  }

  // Images: called once per pixel.
  class View2 extends View {
    index(i, j) {
      return this.offset + this.stride[0] * i + this.stride[1] * j;
    }

    get(i, j) {
      return this.data[this.offset + this.stride[0] * i + this.stride[1] * j];
    }

    set(i, j, value) {
      return (this.data[this.offset + this.stride[0] * i + this.stride[1] * j] = value);
    }
  }

  const Kind = dimension === 2 ? View2 : View;
  Kind.prototype.dtype = dtype;
  Kind.prototype.dimension = dimension;
  return (data, shape = [], stride = [], offset = 0) => new Kind(data, shape, stride, offset);
}
