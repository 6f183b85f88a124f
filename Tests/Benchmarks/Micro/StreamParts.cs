using System.Buffers;
using System.Text;
using BenchmarkDotNet.Attributes;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Translation;

namespace LlmMarketplace.Benchmarks.Micro;

/// <summary>What an answer passes on its way back: streams of twenty chunks, and a whole answer.</summary>
public class StreamParts
{
    private const int Chunks = 20;
    private const string Usage = """{"prompt_tokens":23,"completion_tokens":20,"total_tokens":43}""";

    private static readonly byte[] Stream = Encoding.UTF8.GetBytes(
        string.Concat(Enumerable.Repeat("""data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}""" + "\n\n", Chunks))
        + """data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n"
        + $$"""data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],"usage":{{Usage}}}""" + "\n\ndata: [DONE]\n\n");

    private static readonly byte[] Messages = Encoding.UTF8.GetBytes(
        """
        event: message_start
        data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"bench","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":23,"output_tokens":1}}}

        event: content_block_start
        data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}


        """
        + string.Concat(Enumerable.Repeat("""
            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"word "}}


            """, Chunks))
        + """
        event: content_block_stop
        data: {"type":"content_block_stop","index":0}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":20}}

        event: message_stop
        data: {"type":"message_stop"}


        """);

    private static readonly byte[] Answer = Encoding.UTF8.GetBytes(
        $$$"""{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"{{{string.Concat(Enumerable.Repeat("word ", Chunks))}}}"},"finish_reason":"stop"}],"usage":{{{Usage}}}}""");

    private readonly AnswerHead head = new(Guid.CreateVersion7(), "bench/chat", DateTimeOffset.UnixEpoch);
    private readonly ArrayBufferWriter<byte> output = new(16 * 1024);

    [Benchmark(Description = "Stream of 20 chunks: cut into events (SseBuffer)")]
    public int Cut()
    {
        using var buffer = new SseBuffer(1024 * 1024);
        return Read(buffer, Stream, static (_, _) => 1);
    }

    [Benchmark(Description = "Stream of 20 chunks: cut and read (SseBuffer, SseEvent, UsageFields)")]
    public long CutAndRead()
    {
        using var buffer = new SseBuffer(1024 * 1024);
        var usage = default(UsageFields);
        Read(buffer, Stream, (text, _) => SseEvent.Read(text, Dialect.Chat, ref usage).IsDone ? 1 : 0);
        return usage.ToUsage(Dialect.Chat)!.Value.OutputTokens;
    }

    [Benchmark(Description = "Whole answer of 300 bytes: usage read (ReadUsage)")]
    public long ReadAnswer()
    {
        var usage = default(UsageFields);
        ReadUsage.Read(Answer, Dialect.Chat, ref usage);
        return usage.ToUsage(Dialect.Chat)!.Value.OutputTokens;
    }

    [Benchmark(Description = "Stream of 20 chunks: Chat to Messages (ChatStreamToMessages)")]
    public int ChatToMessages() => Translate(Dialect.Messages, Dialect.Chat, Stream);

    [Benchmark(Description = "Stream of 20 chunks: Messages to Chat (MessagesStreamToChat)")]
    public int MessagesToChat() => Translate(Dialect.Chat, Dialect.Messages, Messages);

    private delegate int Take(ReadOnlySpan<byte> text, int taken);

    private static int Read(SseBuffer buffer, ReadOnlySpan<byte> stream, Take take)
    {
        var taken = 0;
        while (!stream.IsEmpty)
        {
            var room = buffer.Room().Span;
            var bytes = Math.Min(room.Length, Math.Min(stream.Length, 170)); // As it comes: a chunk at a time.
            stream[..bytes].CopyTo(room);
            stream = stream[bytes..];
            buffer.Filled(bytes);
            while (buffer.TryTake(out var text))
            {
                taken += take(text.Span, taken);
            }
        }

        return taken;
    }

    private int Translate(Dialect caller, Dialect provider, ReadOnlySpan<byte> stream)
    {
        using var buffer = new SseBuffer(1024 * 1024);
        using var translator = Translators.Stream(caller, provider, head);
        return Read(buffer, stream, (text, _) =>
        {
            var data = SseEvent.Data(text, out var has);
            output.ResetWrittenCount();
            return has && translator.Feed(data, output) == StreamState.Done ? 1 : 0;
        });
    }
}
