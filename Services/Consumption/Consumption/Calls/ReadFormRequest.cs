using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Reads a form (RFC 7578) once and notes where its parts stand. Its rules are those of <see cref="ReadCallRequest"/>: what is metered must stand in it once, and in one
/// way only, so that the provider cannot read another field than we do; everything else passes unseen.
/// </summary>
internal static class ReadFormRequest
{
    private const int MaxBoundary = 70; // RFC 2046, 5.1.1
    private const int MaxParts = 200;
    private static readonly string[] TextFormats = ["text", "srt", "vtt"];

    /// <param name="surface">Which surface is called.</param>
    /// <param name="body">The form.</param>
    /// <param name="contentType">The request's <c>Content-Type</c>.</param>
    public static async Task<(CallRequest? Request, CallRefusal? Refusal)> ReadAsync(Surface surface, ReadOnlyMemory<byte> body, string contentType)
    {
        var boundary = HeaderUtilities.RemoveQuotes(MediaTypeHeaderValue.Parse(contentType).Boundary).ToString();
        if (boundary.Length is 0 or > MaxBoundary)
        {
            return (null, new CallRefusal(CallFailure.InvalidForm, "The form's `Content-Type` names no boundary."));
        }

        try
        {
            return await ReadAsync(surface, body, contentType, boundary);
        }
        catch (Exception broken) when (broken is IOException or InvalidDataException)
        {
            return (null, new CallRefusal(CallFailure.InvalidForm, "The form ends before its last boundary, or a part of it has too many headers."));
        }
    }

    private static async Task<(CallRequest? Request, CallRefusal? Refusal)> ReadAsync(Surface surface, ReadOnlyMemory<byte> body, string contentType, string boundary)
    {
        using var stream = ToStream(body);
        var reader = new MultipartReader(boundary, stream);
        var fields = new Dictionary<string, Slice>(StringComparer.Ordinal);
        var all = new List<(string Head, Slice Value)>();
        long promptBytes = 0;
        for (var parts = 0; await reader.ReadNextSectionAsync() is { } section; parts++)
        {
            if (parts == MaxParts || Name(section) is not { } name)
            {
                return (null, new CallRefusal(CallFailure.InvalidForm, $"Each part of the form must have one name, and there may be {MaxParts} of them."));
            }

            if (DisguisedMember.Of(name) is { } metered)
            {
                return (null, new CallRefusal(CallFailure.InvalidField, $"`{name}` could be taken for `{metered}`: write it so, once.", metered));
            }

            await section.Body.CopyToAsync(Stream.Null);
            var value = new Slice((int)section.BaseStreamOffset!.Value, (int)section.Body.Length);
            all.Add((string.Join('\n', section.Headers!.Select(header => $"{header.Key}: {header.Value}")), value));
            promptBytes += name == "prompt" ? value.Length : 0;
            if (name is "model" or "file" or "stream" or "response_format" && !fields.TryAdd(name, value))
            {
                return (null, new CallRefusal(CallFailure.DuplicateField, $"`{name}` is given twice.", name));
            }
        }

        return Request(surface, body, fields, all, promptBytes, contentType);
    }

    private static (CallRequest? Request, CallRefusal? Refusal) Request(Surface surface, ReadOnlyMemory<byte> body, Dictionary<string, Slice> fields, IReadOnlyList<(string Head, Slice Value)> all, long promptBytes, string contentType)
    {
        if (!fields.TryGetValue("model", out var modelValue) || Text(body, modelValue) is not { Length: > 0 } model)
        {
            return (null, new CallRefusal(CallFailure.InvalidField, "`model` is missing: name a service as `provider/service`.", "model"));
        }

        if (!fields.TryGetValue("file", out var file))
        {
            return (null, new CallRefusal(CallFailure.InvalidField, "`file` is missing: what is to be written down.", "file"));
        }

        var stream = false;
        if (fields.TryGetValue("stream", out var streamValue) && !bool.TryParse(Text(body, streamValue), out stream))
        {
            return (null, new CallRefusal(CallFailure.InvalidField, "`stream` must be true or false.", "stream"));
        }

        if (stream && !surface.Streams)
        {
            return (null, new CallRefusal(CallFailure.InvalidField, $"/v1/{surface.Path} does not stream.", "stream"));
        }

        return (new CallRequest
        {
            Model = model,
            ModelValue = modelValue,
            Stream = stream,
            File = file,
            FormType = contentType,
            FormParts = all,
            WantsText = fields.TryGetValue("response_format", out var format) && TextFormats.Contains(Text(body, format)),
            HasMedia = true,
            TextBytes = promptBytes,
        }, null);
    }

    /// <summary>The part's name; null when it has none, or several.</summary>
    private static string? Name(MultipartSection section) =>
        ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition)
        && disposition.DispositionType.Equals("form-data", StringComparison.OrdinalIgnoreCase)
        && disposition.Parameters.Count(parameter => parameter.Name.StartsWith("name", StringComparison.OrdinalIgnoreCase)) == 1
        && HeaderUtilities.RemoveQuotes(disposition.Name) is { Length: > 0 } name ? name.ToString() : null;

    private static string? Text(ReadOnlyMemory<byte> body, Slice at)
    {
        var value = body.Span.Slice(at.Start, at.Length);
        return value.Length <= 1_000 && Utf8.IsValid(value) ? Encoding.UTF8.GetString(value) : null;
    }

    private static MemoryStream ToStream(ReadOnlyMemory<byte> body) =>
        MemoryMarshal.TryGetArray(body, out var array) ? new MemoryStream(array.Array!, array.Offset, array.Count, writable: false) : new MemoryStream(body.ToArray(), writable: false);
}
