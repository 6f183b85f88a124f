using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Storage;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>What a repeat is sent.</summary>
/// <param name="ContentType">Of the body.</param>
/// <param name="Headers">Headers that belong to the answer itself.</param>
/// <param name="Body">Byte for byte as it was first sent.</param>
/// <param name="Status">HTTP status.</param>
internal sealed record Answer(string ContentType, IReadOnlyDictionary<string, string> Headers, ReadOnlyMemory<byte> Body, int Status = 200);

/// <summary>
/// Encrypts answers (<see cref="SealedBytes"/>), bound to organisation, idempotency key and call, by a key of its own that is derived from <c>Keys:ApiKeyHmac</c> (HKDF, RFC 5869). What is
/// sealed is the compressed head and body.
/// </summary>
internal sealed class AnswerProtector
{
    private readonly byte[] key;

    public AnswerProtector(byte[] apiKeyHmac)
    {
        key = HKDF.DeriveKey(HashAlgorithmName.SHA256, apiKeyHmac, outputLength: 32, info: "answers kept for idempotency keys, v1"u8.ToArray());
        KeyId = Convert.ToHexStringLower(SHA256.HashData(key))[..8];
    }

    /// <summary>The id of this key.</summary>
    public string KeyId { get; }

    public byte[] Protect(Guid organisation, string claim, Guid call, Answer answer) => SealedBytes.Seal(key, Pack(answer), Bound(organisation, claim, call));

    /// <exception cref="CryptographicException">It was encrypted with another key, for another call, or was changed.</exception>
    public Answer Unprotect(Guid organisation, string claim, Guid call, byte[] whole) => Unpack(SealedBytes.Open(key, whole, Bound(organisation, claim, call)));

    private static byte[] Bound(Guid organisation, string claim, Guid call) => Encoding.ASCII.GetBytes($"{organisation:N} {claim} {call:N}");

    private static byte[] Pack(Answer answer)
    {
        var head = JsonSerializer.SerializeToUtf8Bytes(new Head(answer.ContentType, answer.Headers, answer.Status));
        using var packed = new MemoryStream();
        using (var compressing = new ZLibStream(packed, CompressionLevel.Fastest))
        {
            Span<byte> length = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(length, head.Length);
            compressing.Write(length);
            compressing.Write(head);
            compressing.Write(answer.Body.Span);
        }

        return packed.ToArray();
    }

    private static Answer Unpack(byte[] packed)
    {
        using var whole = new MemoryStream();
        using (var decompressing = new ZLibStream(new MemoryStream(packed), CompressionMode.Decompress))
        {
            decompressing.CopyTo(whole);
        }

        ReadOnlyMemory<byte> bytes = whole.GetBuffer().AsMemory(0, (int)whole.Length);
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes.Span);
        var head = JsonSerializer.Deserialize<Head>(bytes.Span.Slice(sizeof(int), length))!;
        return new Answer(head.ContentType, head.Headers, bytes[(sizeof(int) + length)..], head.Status);
    }

    private sealed record Head(string ContentType, IReadOnlyDictionary<string, string> Headers, int Status = 200);
}
