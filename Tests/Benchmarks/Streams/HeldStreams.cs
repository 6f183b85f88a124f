using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>
/// Many streams at once. Most of them have a connection of their own, by HTTP/1.1; some may share connections, a hundred to each, by HTTP/2: where a process may not open as many files
/// as it takes to have a connection for each caller and one to the provider.
/// </summary>
internal sealed class HeldStreams : IDisposable
{
    private const int OpenedAtOnce = 32;
    private const int PerSecond = 800; // For each key: its organisation admits 1 000.
    private readonly HttpClient shared = new(new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true }) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly List<Task<Answered>> answers = [];

    /// <summary>How long it took until the last of them had its first event.</summary>
    public TimeSpan Opened { get; private set; }

    /// <summary>How many have had one.</summary>
    public int Begun { get; private set; }

    /// <summary>Opens them, a few at once, and no faster than their organisations may call.</summary>
    /// <param name="address">Of the product.</param>
    /// <param name="keys">Taken in turn.</param>
    /// <param name="model">The model.</param>
    /// <param name="filling">Bytes of text added to each prompt.</param>
    /// <param name="alone">Streams with a connection each.</param>
    /// <param name="together">Streams that share connections.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task OpenAsync(Uri address, IReadOnlyList<string> keys, string model, int filling, int alone, int together, CancellationToken cancellation)
    {
        var body = Body(model, filling);
        var requests = keys.Select(key => RawConnection.Request(address, key, body)).ToArray();
        var started = Stopwatch.GetTimestamp();
        using var places = new SemaphoreSlim(OpenedAtOnce);
        for (var number = 0; number < alone + together; number++)
        {
            await places.WaitAsync(cancellation);
            var early = TimeSpan.FromSeconds((double)number / (keys.Count * PerSecond)) - Stopwatch.GetElapsedTime(started);
            if (early > TimeSpan.Zero)
            {
                await Task.Delay(early, cancellation);
            }

            var begun = Once(places);
            var answer = number < alone ? AloneAsync(address, requests[number % requests.Length], begun, cancellation) : TogetherAsync(address, keys[number % keys.Count], body, begun, cancellation);
            answers.Add(answer);
            _ = answer.ContinueWith(_ => begun(false), cancellation, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default); // One that is refused makes room too.
        }

        for (var place = 0; place < OpenedAtOnce; place++)
        {
            await places.WaitAsync(cancellation); // All of them: the last ones have begun.
        }

        Opened = Stopwatch.GetElapsedTime(started);
    }

    /// <summary>All answers, once all are at their end.</summary>
    public async Task<IReadOnlyList<Answered>> EndAsync(TimeSpan patience) => await Task.WhenAll(answers).WaitAsync(patience);

    public void Dispose() => shared.Dispose();

    /// <summary>A request for a stream.</summary>
    /// <param name="model">The model.</param>
    /// <param name="filling">Bytes of text added to the prompt.</param>
    public static string Body(string model, int filling = 0) =>
        $$"""{"model":"{{model}}","stream":true,"max_tokens":100,"messages":[{"role":"system","content":"You are a helpful assistant.{{new string('.', filling)}}"},{"role":"user","content":"Say something in twenty words."}]}""";

    private Action<bool> Once(SemaphoreSlim places)
    {
        var isDone = 0;
        return hasBegun =>
        {
            if (Interlocked.Exchange(ref isDone, 1) == 0)
            {
                lock (answers)
                {
                    Begun += hasBegun ? 1 : 0;
                }

                places.Release();
            }
        };
    }

    private static async Task<Answered> AloneAsync(Uri address, byte[] request, Action<bool> begun, CancellationToken cancellation)
    {
        using var connection = await RawConnection.OpenAsync(address, cancellation);
        return await connection.CallAsync(request, () => begun(true), cancellation);
    }

    private async Task<Answered> TogetherAsync(Uri address, string key, string body, Action<bool> begun, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, "v1/chat/completions"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var answer = await shared.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        var id = answer.Headers.TryGetValues("x-request-id", out var ids) ? Guid.Parse(ids.Single()) : Guid.Empty;
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellation);
        var (buffer, text, first) = (new byte[1024], new StringBuilder(), TimeSpan.Zero);
        try
        {
            while (await stream.ReadAsync(buffer, cancellation) is > 0 and var read)
            {
                if (first == default)
                {
                    first = Stopwatch.GetElapsedTime(started);
                    begun(answer.IsSuccessStatusCode);
                }

                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
                text.Remove(0, Math.Max(0, text.Length - 64));
            }
        }
        catch (IOException)
        {
            text.Clear(); // Broken: not whole.
        }

        return new Answered(id, (int)answer.StatusCode, first, Stopwatch.GetElapsedTime(started), answer.IsSuccessStatusCode && text.ToString().EndsWith("data: [DONE]\n\n", StringComparison.Ordinal));
    }
}
