using System.Text;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Platforms;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Platforms;

public sealed class AmazonEventStreamTests
{
    private const int Max = 64 * 1024;
    private static readonly string[] Events = PlatformEvents.Messages("Hello \"\u00e9\" \ud83d\ude00");
    private static readonly byte[] Framed = [.. Events.SelectMany(PlatformEvents.Chunk)];

    [Property(MaxTest = 200)]
    public void Any_split_of_the_bytes_is_the_same_stream(int[] sizes, byte room) =>
        Assert.Equal(PlatformEvents.AsSse(Events), Read(Framed, sizes, isInvoke: true, 1 + room));

    [Property(MaxTest = 500)]
    public void A_damaged_byte_never_passes(FsCheck.NonNegativeInt at, byte change)
    {
        var bytes = (byte[])Framed.Clone();
        bytes[at.Get % bytes.Length] ^= (byte)(change | 1);

        Assert.Throws<IOException>(() => Read(bytes, [], isInvoke: true));
    }

    [Property(MaxTest = 200)]
    public void A_stream_that_ends_within_a_message_is_no_clean_end(FsCheck.NonNegativeInt length)
    {
        var cut = length.Get % Framed.Length;
        var isBetween = Enumerable.Range(0, Events.Length).Any(whole => Events.Take(whole).Sum(one => PlatformEvents.Chunk(one).Length) == cut);
        if (!isBetween)
        {
            Assert.Throws<IOException>(() => Read(Framed[..cut], [], isInvoke: true));
        }
    }

    [Fact]
    public void A_message_of_Converses_is_an_object_of_its_name() =>
        Assert.Equal("data: {\"messageStop\":{ \"stopReason\":\"end_turn\"}}\n\n", Read(PlatformEvents.Event("messageStop", "{\n\"stopReason\":\"end_turn\"}"), [], isInvoke: false));

    [Theory]
    [InlineData("throttlingException", "rate_limit_error")]
    [InlineData("modelStreamErrorException", "api_error")]
    [InlineData("validationException", "invalid_request_error")]
    public void An_exception_is_an_error_event(string exception, string type) =>
        Assert.Equal("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" + type + "\",\"message\":\"No.\"}}\n\n", Read(PlatformEvents.Exception(exception, "No."), [], isInvoke: true));

    [Fact]
    public void What_a_newer_protocol_may_say_besides_is_passed_over() =>
        Assert.Equal("", Read([.. PlatformEvents.Event("trace", "{}"), .. AmazonFrames.Frame([], (":message-type", "news"))], [], isInvoke: true));

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(Max + 1)]
    [InlineData(int.MaxValue)]
    [InlineData(-1)]
    public void A_length_that_cannot_be_is_refused_before_anything_is_waited_for(int length)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        Assert.Throws<IOException>(() => Read(bytes, [], isInvoke: true));
    }

    private static string Read(byte[] bytes, IReadOnlyList<int> sizes, bool isInvoke, int room = 4_096)
    {
        using var stream = new AmazonEventStream(new Pieces(bytes, sizes), Max, isInvoke);
        using var output = new MemoryStream();
        var buffer = new byte[room];
        while (stream.ReadAsync(buffer.AsMemory()).AsTask().GetAwaiter().GetResult() is var read and > 0)
        {
            output.Write(buffer, 0, read);
        }

        return Encoding.UTF8.GetString(output.ToArray());
    }

    /// <summary>Bytes that come in pieces of these sizes.</summary>
    private sealed class Pieces(byte[] bytes, IReadOnlyList<int> sizes) : MemoryStream(bytes)
    {
        private int next;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var size = sizes.Count == 0 ? buffer.Length : 1 + (int)(Math.Abs((long)sizes[next++ % sizes.Count]) % 97);
            return base.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);
        }
    }
}
