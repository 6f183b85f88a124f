using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>
/// A file of the log, <c>{number}.log</c>, as long from the start as it will ever be, and zero where nothing is written yet; so writing to it neither needs room nor changes what the
/// file system knows of it, and whatever is not zero after the last frame is damage.
/// <code>
///  0  8 bytes  "LLMUSAGE"
///  8  u32      version of the format
/// 12  u32      number of the segment
/// 16  u64      length of the file
/// 24  16 bytes id of the log
/// 40  20 zeros
/// 60  u32      CRC-32C of these 60 bytes
/// 64           frames
/// </code>
/// </summary>
internal static class Segment
{
    public const int HeaderSize = 64;
    private const uint Version = 1;
    private const string Suffix = ".log";
    private const int ZerosAtOnce = 1024 * 1024;

    private static ReadOnlySpan<byte> Magic => "LLMUSAGE"u8;

    public static string PathOf(string folder, uint number) => Path.Combine(folder, number.ToString("D10", CultureInfo.InvariantCulture) + Suffix);

    /// <summary>The segments of a folder, in order.</summary>
    public static IReadOnlyList<uint> In(string folder) =>
    [
        .. Directory.EnumerateFiles(folder, "*" + Suffix)
            .Select(path => uint.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0)
            .Where(number => number > 0).Order(),
    ];

    /// <summary>Makes a segment, from one that is not needed any more if there is one. It and its name are on disk then.</summary>
    public static SafeFileHandle Create(string folder, Guid log, uint number, long length, string? recycled)
    {
        // Under a name that is no segment's until it is whole.
        var making = Path.Combine(folder, "next");
        if (recycled is not null)
        {
            File.Move(recycled, making, overwrite: true);
        }

        using (var handle = File.OpenHandle(making, FileMode.OpenOrCreate, FileAccess.Write))
        {
            var zeros = new byte[Math.Min(length, ZerosAtOnce)];
            for (long at = 0; at < length; at += zeros.Length)
            {
                RandomAccess.Write(handle, zeros.AsSpan(0, (int)Math.Min(zeros.Length, length - at)), at);
            }

            RandomAccess.SetLength(handle, length);
            RandomAccess.Write(handle, Header(log, number, length), 0);
            RandomAccess.FlushToDisk(handle);
        }

        var path = PathOf(folder, number);
        File.Move(making, path);
        Disk.SyncDirectory(folder);
        return File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.Read);
    }

    /// <summary>Whether this is the header of that segment.</summary>
    /// <exception cref="LogFormatException">It is one, of a format that this program does not know.</exception>
    public static bool IsHeader(ReadOnlySpan<byte> bytes, uint number)
    {
        if (bytes.Length < HeaderSize || !bytes.StartsWith(Magic) || BinaryPrimitives.ReadUInt32LittleEndian(bytes[60..]) != (Frame.Crc32C(uint.MaxValue, bytes[..60]) ^ uint.MaxValue))
        {
            return false;
        }

        var version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        return version != Version
            ? throw new LogFormatException($"Segment {number} of the usage log has format {version}, and this program knows {Version}: start the program that wrote it once more, so that it ships what is left.")
            : BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]) == number;
    }

    /// <summary>The length that a segment's header tells.</summary>
    public static long LengthIn(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadInt64LittleEndian(header[16..]);

    private static byte[] Header(Guid log, uint number, long length)
    {
        var header = new byte[HeaderSize];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(12), number);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), length);
        log.TryWriteBytes(header.AsSpan(24));
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(60), Frame.Crc32C(uint.MaxValue, header.AsSpan(0, 60)) ^ uint.MaxValue);
        return header;
    }
}
