using System.Text;
using FsCheck;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Calls;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

public class SseBufferTests
{
    private static readonly string[] Ends = ["\n", "\r\n", "\r"];

    [Property]
    public void Any_split_gives_the_same_events_whatever_ends_their_lines(NonNegativeInt end, bool mark, (bool Comment, PositiveInt Lines)[] events, int[] sizes)
    {
        var newline = Ends[end.Get % 3];
        var text = new StringBuilder(mark ? "\uFEFF" : "");
        var expected = new List<string>();
        foreach (var (index, (comment, lines)) in events.Index())
        {
            var data = Enumerable.Range(0, 1 + (lines.Get % 3)).Select(line => $"{index}:é {line}").ToList();
            text.Append(comment ? ": a comment" + newline : "").Append("event: x" + newline);
            data.ForEach(line => text.Append("data: " + line + newline));
            text.Append(newline);
            expected.Add(string.Join('\n', data));
        }

        Assert.Equal(expected, Read(Encoding.UTF8.GetBytes(text.ToString()), sizes));
    }

    [Fact]
    public void A_stream_of_carriage_returns_ends_with_its_last_byte() => Assert.Equal(["a", "[DONE]"], Read("data: a\r\rdata: [DONE]\r\r"u8.ToArray(), []));

    [Fact]
    public void An_event_without_end_is_refused_and_takes_no_more_memory_than_it_may()
    {
        using var buffer = new SseBuffer(64 * 1024);
        var held = 0;
        Assert.Throws<EventTooLongException>(() =>
        {
            while (held < 1024 * 1024)
            {
                var room = buffer.Room();
                room.Span.Fill((byte)'x');
                buffer.Filled(room.Length);
                held += room.Length;
                Assert.False(buffer.TryTake(out _));
            }
        });
        Assert.InRange(held, 64 * 1024, 256 * 1024);
    }

    [Fact]
    public void A_buffer_rests_between_events_and_never_within_one()
    {
        using var buffer = new SseBuffer(1024 * 1024);
        Assert.True(buffer.TryRest());
        Fill(buffer, "data: a\r\n\r"u8);
        Assert.True(buffer.TryTake(out _));
        Assert.True(buffer.TryRest());
        Fill(buffer, "\ndata: b"u8); // The rest of a CRLF, which belongs to what was taken.
        Assert.False(buffer.TryTake(out _));
        Assert.False(buffer.TryRest());
        Fill(buffer, "\n\n"u8);
        Assert.True(buffer.TryTake(out var text));
        Assert.Equal("data: b\n\n", Encoding.UTF8.GetString(text.Span));
    }

    private static void Fill(SseBuffer buffer, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(buffer.Room().Span);
        buffer.Filled(bytes.Length);
    }

    private static List<string> Read(byte[] bytes, int[] sizes)
    {
        var read = new List<string>();
        using var buffer = new SseBuffer(1024 * 1024);
        ReadOnlyMemory<byte> rest = bytes;
        for (var i = 0; !rest.IsEmpty; i++)
        {
            _ = i % 2 == 0 && buffer.TryRest();
            var room = buffer.Room();
            var size = Math.Min(Math.Min(rest.Length, room.Length), sizes.Length == 0 ? int.MaxValue : 1 + Math.Abs(sizes[i % sizes.Length] % 31));
            rest[..size].CopyTo(room);
            rest = rest[size..];
            buffer.Filled(size);
            while (buffer.TryTake(out var text))
            {
                var data = SseEvent.Data(text.Span, out var has);
                if (has)
                {
                    read.Add(Encoding.UTF8.GetString(data));
                }
            }
        }

        return read;
    }
}
