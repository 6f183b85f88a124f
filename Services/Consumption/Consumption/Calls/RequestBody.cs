using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>A request's body in rented memory.</summary>
internal sealed class RequestBody : IDisposable
{
    // More is taken as it comes: a length that is only announced takes no memory.
    private const int MostAtOnce = 1024 * 1024;

    private byte[] buffer;
    private int length;

    private RequestBody(int capacity) => buffer = ArrayPool<byte>.Shared.Rent(capacity);

    public ReadOnlyMemory<byte> Bytes => buffer.AsMemory(0, length);

    /// <summary>Reads the whole body, at most <paramref name="max"/> bytes of it.</summary>
    public static async Task<(RequestBody? Body, CallRefusal? Refusal)> ReadAsync(HttpContext http, int max, bool isForm = false)
    {
        var request = http.Request;
        if (!Is(request, isForm ? "multipart/form-data" : "application/json"))
        {
            return (null, new CallRefusal(isForm ? CallFailure.WantsForm : CallFailure.UnsupportedMediaType));
        }

        var tooLarge = new CallRefusal(CallFailure.BodyTooLarge, $"The request is larger than {max} bytes.");
        if (request.ContentLength > max)
        {
            return (null, tooLarge);
        }

        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = max;
        }

        var body = new RequestBody((int)Math.Min(request.ContentLength + 1 ?? 16 * 1024, Math.Min(max, MostAtOnce)));
        try
        {
            while (true)
            {
                if (body.length == body.buffer.Length)
                {
                    body.Grow();
                }

                var read = await request.Body.ReadAsync(body.buffer.AsMemory(body.length), http.RequestAborted);
                if (read == 0)
                {
                    return (body, null);
                }

                body.length += read;
                if (body.length > max)
                {
                    body.Dispose();
                    return (null, tooLarge);
                }
            }
        }
        catch (BadHttpRequestException refused)
        {
            body.Dispose();
            return (null, refused.StatusCode switch
            {
                StatusCodes.Status413PayloadTooLarge => tooLarge,
                StatusCodes.Status408RequestTimeout => new CallRefusal(CallFailure.BodyTooSlow),
                _ => new CallRefusal(CallFailure.InvalidBody, "The body ended early."),
            });
        }
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref buffer, []) is { Length: > 0 } rented)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static bool Is(HttpRequest request, string mediaType) =>
        string.IsNullOrEmpty(request.Headers.ContentEncoding)
        && MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
        && type.MatchesMediaType(mediaType)
        && (type.Charset.Length == 0 || type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase));

    private void Grow()
    {
        var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
