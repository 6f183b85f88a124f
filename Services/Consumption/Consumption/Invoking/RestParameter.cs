using System.Globalization;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>A parameter of an operation, and how it is written (OpenAPI 3.1, "Style Values").</summary>
internal sealed class RestParameter
{
    // What the specification says is not a parameter, and what belongs to the connection or the marketplace.
    private static readonly HashSet<string> Ours = new(StringComparer.OrdinalIgnoreCase)
    {
        "accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect", "forwarded", "host", "keep-alive", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "x-request-id", "traceparent", "tracestate",
    };

    private readonly string style;
    private readonly bool explodes;
    private readonly bool isJson;

    private RestParameter(string name, string @in, bool isRequired, string style, bool explodes, bool isJson, BodySchema? schema, string? gap)
    {
        (Name, In, this.style, this.explodes, this.isJson, Schema) = (name, @in, style, explodes, isJson, schema);
        IsOurs = @in == "cookie" || (@in == "header" && Ours.Contains(name));
        IsRequired = (isRequired || @in == "path") && !IsOurs;
        Gap = @in == "cookie" && isRequired ? $"it needs the cookie {name}" : gap;
    }

    public string Name { get; }

    /// <summary><c>path</c>, <c>query</c>, <c>header</c> or <c>cookie</c>.</summary>
    public string In { get; }

    public bool IsRequired { get; }

    /// <summary>Whether no caller may give it.</summary>
    public bool IsOurs { get; }

    /// <summary>What it must be; null: anything.</summary>
    public BodySchema? Schema { get; }

    /// <summary>Why it keeps its operation from being called; null: it does not.</summary>
    public string? Gap { get; }

    /// <exception cref="FormatException">It is no parameter.</exception>
    public static RestParameter Read(JsonElement root, JsonElement declared)
    {
        var (name, at) = (RestApi.Text(RestApi.Member(declared, "name")), RestApi.Text(RestApi.Member(declared, "in")));
        if (name is null || at is not ("path" or "query" or "header" or "cookie"))
        {
            throw new FormatException("A parameter of the OpenAPI document has no name, or no place.");
        }

        var style = RestApi.Text(RestApi.Member(declared, "style")) ?? (at is "query" or "cookie" ? "form" : "simple");
        var content = RestApi.Member(declared, "content");
        var isJson = content.ValueKind == JsonValueKind.Object;
        var first = isJson ? content.EnumerateObject().FirstOrDefault().Value : declared;
        BodySchema.TryRead(root, RestApi.Member(first, "schema"), out var schema, out var gap);
        if (gap is null && style is not ("simple" or "form" or "spaceDelimited" or "pipeDelimited" or "deepObject"))
        {
            gap = $"its parameter {name} is written in the style {style}";
        }

        var explode = RestApi.Member(declared, "explode").ValueKind;
        return new RestParameter(
            name, at, RestApi.Member(declared, "required").ValueKind == JsonValueKind.True, style, explode == JsonValueKind.True || (explode != JsonValueKind.False && style is "form" or "deepObject"), isJson, schema, gap);
    }

    /// <summary>The value as it stands in the path or in a header; null when it is nested deeper than can be written there.</summary>
    public string? Write(JsonElement value)
    {
        if (isJson)
        {
            return Escape(value.GetRawText());
        }

        var parts = Parts(value);
        return parts?.Select(part => part.Name is null ? Escape(part.Value) : $"{Escape(part.Name)}{(explodes ? '=' : ',')}{Escape(part.Value)}") is { } written ? string.Join(',', written) : null;
    }

    /// <summary>The same in the query, without a question mark.</summary>
    public string? WriteQuery(JsonElement value)
    {
        var name = Uri.EscapeDataString(Name);
        if (isJson)
        {
            return $"{name}={Escape(value.GetRawText())}";
        }

        if (Parts(value) is not { } parts)
        {
            return null;
        }

        if (explodes)
        {
            return string.Join('&', parts.Select(part =>
                $"{(part.Name is null ? name : style == "deepObject" ? $"{name}%5B{Escape(part.Name)}%5D" : Escape(part.Name))}={Escape(part.Value)}"));
        }

        var separator = style switch { "spaceDelimited" => "%20", "pipeDelimited" => "%7C", _ => "," };
        return $"{name}={string.Join(separator, parts.Select(part => part.Name is null ? Escape(part.Value) : Escape(part.Name) + separator + Escape(part.Value)))}";
    }

    /// <summary>The value's own parts: one, a list's, or an object's with their names.</summary>
    private static List<(string? Name, string Value)>? Parts(JsonElement value)
    {
        var parts = value.ValueKind switch
        {
            JsonValueKind.Array => value.EnumerateArray().Select(item => ((string?)null, Text(item))),
            JsonValueKind.Object => value.EnumerateObject().Select(member => ((string?)member.Name, Text(member.Value))),
            _ => [(null, Text(value))],
        };
        var list = new List<(string? Name, string Value)>();
        foreach (var (name, text) in parts)
        {
            if (text is null)
            {
                return null;
            }

            list.Add((name, text));
        }

        return list;
    }

    private static string? Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText().ToString(CultureInfo.InvariantCulture),
        _ => null,
    };

    private string Escape(string text) => In == "header" ? text : Uri.EscapeDataString(text);
}
