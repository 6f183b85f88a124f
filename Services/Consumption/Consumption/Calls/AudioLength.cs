using System.Buffers.Binary;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>How long audio is, where nobody tells.</summary>
internal static class AudioLength
{
    // Speech codecs go down to about 4 kbit/s (Opus 6, AMR 4.75, MP3 8); nothing that people send takes more than lossless stereo at 192 kHz and 32 bits.
    private const int FewestBytesPerSecond = 500;
    private const int MostBytesPerSecond = 192_000 * 2 * 4;

    private const int Integers = 1;
    private const int Floats = 3;
    private const int Extensible = 0xFFFE;

    // Bit rates of lossy audio end at 320 kbit/s (MP3), and near 512 (AAC, Opus).
    private const int MostLossyBytesPerSecond = 64_000;

    /// <summary>No decoder makes more of this file.</summary>
    public static decimal UpperBound(ReadOnlySpan<byte> file) => file.Length / (WaveBytesPerSecond(file) is { } rate ? rate : (decimal)FewestBytesPerSecond);

    /// <summary>The file's length as its headers tell it; a lower bound of it when they tell none. Null: it is broken, whatever kind of file it is.</summary>
    public static decimal? Seconds(ReadOnlyMemory<byte> file)
    {
        if (file.IsEmpty)
        {
            return null;
        }

        if (WaveBytesPerSecond(file.Span) is { } rate)
        {
            return file.Length / (decimal)rate;
        }

        file = WithoutTag(file);
        if (Told(file) is not { } told)
        {
            return null;
        }

        var least = file.Length / (decimal)(file.Span.StartsWith("fLaC"u8) ? MostBytesPerSecond : MostLossyBytesPerSecond);
        return Math.Round(Math.Max(Math.Min(told, UpperBound(file.Span)), least), 3);
    }

    /// <summary>What a WAV file of samples says of itself, which is what decoders go by; null for everything else.</summary>
    private static int? WaveBytesPerSecond(ReadOnlySpan<byte> file)
    {
        // RIFF, size, WAVE, then chunks; `fmt ` comes before the samples: tag, channels, samples a second, bytes a second, bytes a frame, bits a sample; the extensible tag
        // has the true one behind, after 8 more bytes. What decoders do not go by may be anything, and is not read.
        var at = file.IndexOf("fmt "u8);
        if (!file.StartsWith("RIFF"u8) || !file[8..].StartsWith("WAVE"u8) || at is < 12 or > 4_096 || file.Length < at + 34)
        {
            return null;
        }

        var format = file[(at + 8)..];
        var tag = BinaryPrimitives.ReadUInt16LittleEndian(format);
        tag = tag == Extensible ? BinaryPrimitives.ReadUInt16LittleEndian(format[24..]) : tag;
        var frames = BinaryPrimitives.ReadUInt32LittleEndian(format[4..]);
        var frameBits = BinaryPrimitives.ReadUInt16LittleEndian(format[2..]) * BinaryPrimitives.ReadUInt16LittleEndian(format[14..]);
        var rate = frames * (long)frameBits / 8;
        return tag is Integers or Floats && rate is >= FewestBytesPerSecond and <= MostBytesPerSecond ? (int)rate : null;
    }

    /// <summary>0: nothing; null: the file is of a kind that tells its length for certain, and cannot be read.</summary>
    private static decimal? Told(ReadOnlyMemory<byte> file)
    {
        var (name, isCertain) = Kind(file.Span);
        using var bounded = new BoundedReads(file);
        try
        {
            using var read = TagLib.File.Create(new InMemory(name, bounded), TagLib.ReadStyle.Average | TagLib.ReadStyle.PictureLazy);
            return read.Properties is { Duration.TotalSeconds: > 0 and < int.MaxValue } known ? (decimal)known.Duration.TotalSeconds : 0m;
        }
        catch (TagLib.UnsupportedFormatException)
        {
            return 0m; // A codec that the library does not know.
        }
#pragma warning disable CA1031 // The file is a stranger's, and the library throws whatever comes up at broken ones.
        catch (Exception)
#pragma warning restore CA1031
        {
            return isCertain && !bounded.IsExhausted ? null : 0m;
        }
    }

    /// <summary>
    /// The library chooses its reader by a file's name; the caller's may say anything, so its first bytes choose. Certain are kinds whose whole files begin so and tell their length: browsers
    /// record Matroska that does not, and MP3 is what else there is.
    /// </summary>
    private static (string Name, bool IsCertain) Kind(ReadOnlySpan<byte> file) =>
        file.StartsWith("OggS"u8) ? ("a.ogg", true)
        : file.StartsWith("fLaC"u8) ? ("a.flac", true)
        : file.StartsWith((ReadOnlySpan<byte>)[0x1A, 0x45, 0xDF, 0xA3]) ? ("a.mkv", false)
        : file.Length > 12 && file[4..].StartsWith("ftyp"u8) ? ("a.m4a", true)
        : ("a.mp3", false);

    /// <summary>Pictures and texts before MP3, which may be larger than the sound: https://id3.org/id3v2.4.0-structure, 3.1.</summary>
    private static ReadOnlyMemory<byte> WithoutTag(ReadOnlyMemory<byte> file)
    {
        const int header = 10;
        var bytes = file.Span;
        if (!bytes.StartsWith("ID3"u8) || bytes.Length < header)
        {
            return file;
        }

        var size = ((bytes[6] & 0x7F) << 21) | ((bytes[7] & 0x7F) << 14) | ((bytes[8] & 0x7F) << 7) | (bytes[9] & 0x7F);
        return file[Math.Min(header + size, file.Length)..];
    }

    private sealed class InMemory(string name, Stream file) : TagLib.File.IFileAbstraction
    {
        public string Name => name;

        public Stream ReadStream => file;

        public Stream WriteStream => throw new NotSupportedException();

        public void CloseStream(Stream stream)
        {
            // It is its maker's to close.
        }
    }

    /// <summary>
    /// A file of which only so much can be read, and only so often: what a stranger's file has the library do is bounded by that, in time and in memory, for it copies what it reads. Lengths of
    /// honest files are found in their headers and their last page.
    /// </summary>
    private sealed class BoundedReads(ReadOnlyMemory<byte> file) : Stream
    {
        private const int MostBytes = 4 * 1024 * 1024;
        private const int MostReads = 100_000;
        private int bytes;
        private int reads;

        /// <summary>Whether more was asked for.</summary>
        public bool IsExhausted { get; private set; }

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => file.Length;

        public override long Position { get; set; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (++reads > MostReads || count > MostBytes - bytes)
            {
                IsExhausted = true;
                throw new IOException("The length of the file is not to be found in what is read of it.");
            }

            var rest = Position < file.Length ? file.Span[(int)Position..] : default;
            var read = Math.Min(count, rest.Length);
            rest[..read].CopyTo(buffer.AsSpan(offset));
            Position += read;
            bytes += read;
            return read;
        }

        public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
        {
            SeekOrigin.Begin => offset,
            SeekOrigin.Current => Position + offset,
            _ => file.Length + offset,
        };

        public override void Flush()
        {
            // Nothing is written.
        }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
