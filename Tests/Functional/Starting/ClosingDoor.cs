using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Functional.Starting;

/// <summary>
/// The public address behind a door that shuts: the last request that it lets through is done, but its answer, like all that comes after, is lost. So a caller
/// who stops then is as one who was killed between a deed and the note of it.
/// </summary>
internal sealed class ClosingDoor : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly Uri behind;
    private CancellationTokenSource shut = new();
    private int left;

    private ClosingDoor(Uri behind)
    {
        this.behind = behind;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        app = builder.Build();
        app.Run(PassAsync);
    }

    public Uri Address => new(app.Urls.First());

    public static async Task<ClosingDoor> OpenAsync(Uri behind)
    {
        var door = new ClosingDoor(behind);
        await door.app.StartAsync();
        return door;
    }

    /// <summary>Lets so many requests through; the token falls with the last one.</summary>
    public CancellationToken LetThrough(int requests)
    {
        shut.Dispose();
        (shut, left) = (new CancellationTokenSource(), requests);
        return shut.Token;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
        shut.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        var rest = Interlocked.Decrement(ref left);
        if (rest < 0)
        {
            context.Abort();
            return;
        }

        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri(behind, context.Request.Path + context.Request.QueryString));
        request.Headers.TryAddWithoutValidation("Authorization", context.Request.Headers.Authorization.ToString());
        if (context.Request.ContentType is { } type)
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            request.Content = new ByteArrayContent(body.ToArray());
            request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        using var answer = await Answer.Client.SendAsync(request, CancellationToken.None);
        if (rest == 0)
        {
            await shut.CancelAsync();
            context.Abort();
            return;
        }

        context.Response.StatusCode = (int)answer.StatusCode;
        context.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
        await answer.Content.CopyToAsync(context.Response.Body);
    }
}
