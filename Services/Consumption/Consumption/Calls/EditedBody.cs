using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// A caller's body with a few places written anew; sent piece by piece, not copied. Only these are touched: <c>model</c> (the provider's own id), for streams whose
/// usage chunk the caller did not ask for <c>stream_options.include_usage</c>, and the output cap when the caller set none.
/// </summary>
internal sealed class EditedBody : NotedBody
{
    private readonly List<ReadOnlyMemory<byte>> pieces;
    private volatile bool isSent;

    private EditedBody(List<ReadOnlyMemory<byte>> pieces, string? formType)
    {
        this.pieces = pieces;
        if (formType is null)
        {
            Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }
        else
        {
            Headers.TryAddWithoutValidation("content-type", formType);
        }
    }

    /// <summary>Makes the provider's body.</summary>
    /// <param name="surface">Which surface it is for.</param>
    /// <param name="body">The caller's.</param>
    /// <param name="request">What stands where in it.</param>
    /// <param name="model">The provider's model id.</param>
    /// <param name="cap">Name and value of the output cap to send, or null.</param>
    public static EditedBody Of(Surface surface, ReadOnlyMemory<byte> body, CallRequest request, string model, (string Field, long Value)? cap)
    {
        var edits = new List<(Slice At, string Text)> { (request.ModelValue, request.FormType is null ? JsonSerializer.Serialize(model) : model) };
        var first = new StringBuilder();
        if (surface.Dialect == Dialect.Chat && request.Stream && !request.WantsUsage)
        {
            AskForUsage(request, edits, first);
        }

        if (cap is { } limit)
        {
            var member = $"\"{limit.Field}\":{limit.Value}";
            if (request.NullMaxima.Count > 0)
            {
                // Where both names stand, the one that is sent must not stand there twice.
                var named = request.NullMaxima.FirstOrDefault(one => one.Field == limit.Field, request.NullMaxima[0]);
                edits.Add((named.Member, member));
            }
            else
            {
                first.Append(member).Append(',');
            }
        }

        if (request.FallbackMember is { } ours)
        {
            edits.Add((WithComma(body.Span, ours), ""));
        }

        if (first.Length > 0)
        {
            edits.Add((new Slice(request.ObjectStart + 1, 0), first.ToString()));
        }

        var pieces = new List<ReadOnlyMemory<byte>>((edits.Count * 2) + 1);
        var done = 0;
        foreach (var (at, text) in edits.OrderBy(edit => edit.At.Start))
        {
            pieces.Add(body[done..at.Start]);
            pieces.Add(Encoding.UTF8.GetBytes(text));
            done = at.End;
        }

        pieces.Add(body[done..]);
        return new EditedBody(pieces, request.FormType);
    }

    /// <summary>Whether all of it was taken over by the connection, which needs the caller's bytes no more.</summary>
    public bool IsSent => isSent;

    protected override async Task WriteAsync(Stream stream, CancellationToken cancellationToken)
    {
        foreach (var piece in pieces)
        {
            await stream.WriteAsync(piece, cancellationToken);
        }

        isSent = true;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = pieces.Sum(piece => (long)piece.Length);
        return true;
    }

    /// <summary>The body without one of its members.</summary>
    public static ReadOnlyMemory<byte> Without(ReadOnlyMemory<byte> body, Slice member)
    {
        var cut = WithComma(body.Span, member);
        return (byte[])[.. body.Span[..cut.Start], .. body.Span[cut.End..]];
    }

    /// <summary>A member with the comma that parts it from its neighbour: the next one, or before the last one the one before.</summary>
    private static Slice WithComma(ReadOnlySpan<byte> body, Slice member)
    {
        var end = member.End;
        while (IsSpace(body[end]))
        {
            end++;
        }

        if (body[end] == ',')
        {
            return new Slice(member.Start, end + 1 - member.Start);
        }

        var start = member.Start - 1;
        while (IsSpace(body[start]))
        {
            start--;
        }

        return body[start] == ',' ? new Slice(start, member.End - start) : member;
    }

    private static bool IsSpace(byte value) => value is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n';

    private static void AskForUsage(CallRequest request, List<(Slice At, string Text)> edits, StringBuilder first)
    {
        if (request.IncludeUsage is { } value)
        {
            edits.Add((value, "true"));
        }
        else if (request.StreamOptions is not { } options)
        {
            first.Append("\"stream_options\":{\"include_usage\":true},");
        }
        else if (request.StreamOptionsIsObject)
        {
            edits.Add((new Slice(options.Start + 1, 0), request.StreamOptionsIsEmpty ? "\"include_usage\":true" : "\"include_usage\":true,"));
        }
        else
        {
            edits.Add((options, "{\"include_usage\":true}"));
        }
    }
}
