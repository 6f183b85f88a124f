using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Pipeline;

namespace LlmMarketplace.Publishing.Tests.Pipeline;

/// <summary>A watcher of a run.</summary>
internal sealed class RunJournal : IAsyncDisposable
{
    private readonly HttpResponseMessage response;
    private readonly IAsyncEnumerator<SseItem<string>> items;

    private RunJournal(HttpResponseMessage response, Stream stream)
    {
        this.response = response;
        items = SseParser.Create(stream).EnumerateAsync().GetAsyncEnumerator();
    }

    public static async Task<RunJournal> OpenAsync(Caller caller, Guid run, int? after = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/pipeline-runs/{run}/events");
        if (after is { } number)
        {
            request.Headers.Add("Last-Event-ID", number.ToString(CultureInfo.InvariantCulture));
        }

        var response = await caller.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return new RunJournal(response, await response.Content.ReadAsStreamAsync());
    }

    /// <summary>The next entry, or null at the end of the stream.</summary>
    public async Task<FollowRun.EntryView?> NextAsync()
    {
        if (!await items.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(3)))
        {
            return null;
        }

        var entry = JsonSerializer.Deserialize<FollowRun.EntryView>(items.Current.Data, Json.Options)!;
        Assert.Equal((entry.Type, entry.Number.ToString(CultureInfo.InvariantCulture)), (items.Current.EventType, items.Current.EventId));
        return entry;
    }

    public async Task<List<FollowRun.EntryView>> RestAsync()
    {
        var rest = new List<FollowRun.EntryView>();
        while (await NextAsync() is { } entry)
        {
            rest.Add(entry);
        }

        return rest;
    }

    public ValueTask DisposeAsync()
    {
        response.Dispose();
        return ValueTask.CompletedTask;
    }
}
