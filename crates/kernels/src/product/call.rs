//! What a kernel of a tile is called with: sizes, operands and where the result goes. Shared by
//! the kernels of every instruction set. Never here: a kernel.

/// Columns of a tile: two 16-lane registers.
pub(crate) const COLS: usize = 32;
/// Most rows of a tile: 14 x 2 sums, 2 columns and 1 row value fill AVX-512's 32 registers.
pub(crate) const ROWS: usize = 14;

/// The sums of one tile; rows past the count asked for are left as they were.
pub(crate) type Sums = [[f32; COLS]; ROWS];

/// Where a tile goes: raw, because tasks share the output.
#[derive(Clone, Copy)]
pub(crate) struct TilePlace {
    /// The tile's first element.
    pub(crate) out: *mut f32,
    /// Distance of two rows of the output.
    pub(crate) stride: usize,
    /// How the sums are written.
    pub(crate) write: Write,
}

impl TilePlace {
    /// The whole of `sums`, replaced.
    pub(crate) fn all_of(sums: &mut Sums) -> Self {
        Self {
            out: sums.as_mut_ptr().cast(),
            stride: COLS,
            write: Write::Set,
        }
    }
}

/// What a tile's sums do to the values at their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Replace them.
    Set,
    /// Are added to them when they are complete: a long sum keeps the precision of its pieces.
    Add,
    /// Begin with them: then a sum has the same bits wherever it is cut into pieces.
    Continue,
}

/// The arguments of a kernel: `out[i][j] (+)= sum over p of a[i][p] * panel[p][j]`.
pub(super) struct Call<A, B> {
    /// Length of the sums.
    pub(super) depth: usize,
    /// LeftOperand operand: element `p` of row `i` is at `i * row_stride + p * depth_stride`.
    pub(super) a: *const A,
    /// Distance of two rows of the left operand.
    pub(super) row_stride: usize,
    /// Distance of two elements of one of its rows.
    pub(super) depth_stride: usize,
    /// RightOperand operand: row `p` is at `p * panel_stride`.
    pub(super) panel: *const B,
    /// Distance of two rows of the right operand.
    pub(super) panel_stride: usize,
    /// Where the sums go.
    pub(super) place: TilePlace,
}

pub(super) type Kernel = unsafe fn(&Call<f32, f32>);
/// Both operands hold pairs of bf16, the lower half first.
pub(super) type DotKernel = unsafe fn(&Call<u32, u32>);

/// Kernels of one instruction set by row count, 1 to the most that its registers hold.
pub(super) type KernelsByRows = &'static [Kernel];
/// As [`KernelsByRows`], of dot instructions.
#[cfg(target_arch = "x86_64")]
pub(super) type DotKernelsByRows = &'static [DotKernel];
